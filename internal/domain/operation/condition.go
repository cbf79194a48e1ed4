package operation

import (
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// InProgress returns the name of the operation as a record has it.
func (o Operation) InProgress() *runtime.OperationInProgress {
	return &runtime.OperationInProgress{ID: o.ID, Kind: string(o.Kind), StartedAt: o.StartedAt}
}

// ConditionOf returns the condition of the game's record by the intent, for the node of the
// game: that node is present. now is the time of a change of the health.
//
// It keeps what the intent does not contain: the result of the health checks, and the crash loop
// of a game that does not run.
func (in Intent) ConditionOf(record runtime.RuntimeRecord, now time.Time) runtime.Condition {
	c := record.Condition.Clone()
	policy := in.SpecOf(record.CurrentContainerID).WithDefaults().Crash
	c.DesiredStatus, c.NodeLostAt, c.Operation = in.DesiredStatus, nil, nil
	c.Restarts = int64(len(RestartsWithin(in.Restarts, time.Duration(policy.Window), now)))
	if in.Current != nil {
		c.Operation = in.Current.InProgress()
	}
	if record.Status == runtime.StatusRunning {
		c.CrashLoop, c.RestartPending = false, false
	}
	health := in.healthOf(record)
	if health != record.Health && in.hasAwaitedHealth(record) {
		now = in.Recent[0].FinishedAt
	}
	return c.WithHealth(health, now)
}

// healthOf returns the health of the game as far as the intent determines it.
func (in Intent) healthOf(record runtime.RuntimeRecord) runtime.Health {
	switch {
	case record.Status != runtime.StatusRunning:
		return ""
	case !in.SpecOf(record.CurrentContainerID).WithDefaults().HasHealthCheck():
		return runtime.HealthNone
	case record.Health == runtime.HealthHealthy, record.Health == runtime.HealthUnhealthy:
		return record.Health
	case in.hasAwaitedHealth(record):
		return runtime.HealthHealthy
	default:
		return runtime.HealthUnknown
	}
}

// hasAwaitedHealth reports whether the latest operation has started the game as it runs, and
// has ended when its health check passed. A health that became unknown later is unknown.
func (in Intent) hasAwaitedHealth(record runtime.RuntimeRecord) bool {
	if in.Current != nil || len(in.Recent) == 0 || record.StartedAt == nil || record.HealthSince == nil {
		return false
	}
	latest := in.Recent[0]
	if latest.Failure != nil || record.StartedAt.After(latest.FinishedAt) || record.HealthSince.After(latest.FinishedAt) {
		return false
	}
	switch latest.Kind {
	case KindStart, KindRestart, KindPatch:
		// It may have kept a game that ran before. A node that ran only the last attempt has another clock
		// than the one that accepted the operation, and the game ran on no node before.
		return len(latest.Attempts) > 0 || !record.StartedAt.Before(latest.StartedAt) && !record.HealthSince.Before(latest.StartedAt)
	case KindMove: // another node, with another clock, accepted it; it ends with a new container
		return true
	default: // a reschedule ends without a health check: see lifecycle
		return false
	}
}
