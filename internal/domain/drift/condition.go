package drift

import (
	"slices"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Condition returns the condition that the record of the game should have, by an observation of
// the record's node with its findings. It returns false if this node does not write the
// condition: the record names another node, or there is none.
//
// A client has written the record of a game without an intent. The node writes only that it
// is not lost.
func (o Observation) Condition(findings []Finding) (runtime.Condition, bool) {
	if !o.isLocal() {
		return runtime.Condition{}, false
	}
	if o.IntentRevision == 0 {
		c := o.Record.Condition.Clone()
		c.NodeLostAt = nil
		return c, true
	}
	c := o.Intent.ConditionOf(*o.Record, o.Now)
	has := func(kind Kind) bool {
		return slices.ContainsFunc(findings, func(f Finding) bool { return f.Kind == kind })
	}
	health := c.Health
	switch {
	case health == "" || c.Operation != nil: // it does not run, or the operation checks the health
	case o.IsEngineAway:
		health = runtime.HealthUnknown
	case has(KindPaused):
		health = runtime.HealthUnhealthy
	case health != runtime.HealthNone && o.Health != "":
		health = o.Health
	}
	if health != c.Health {
		c.Health, c.HealthSince = o.Record.Health, o.Record.HealthSince
		c = c.Clone().WithHealth(health, o.Now)
	}
	if o.Record.Status != runtime.StatusRunning && o.EngineError == nil && o.Intent.Current == nil {
		c.CrashLoop = has(KindCrashLoop)
		c.RestartPending = o.Record.Status == runtime.StatusStopped && slices.ContainsFunc(findings, func(f Finding) bool { return f.Action == ActionRestart })
	}
	return c, true
}
