package runtime

import (
	"fmt"
	"slices"
	"time"
)

// Condition is what is known about a game in addition to its status. The zero value is the
// condition of a record that an earlier version wrote. The node of the game writes it,
// except NodeLostAt.
type Condition struct {
	// DesiredStatus is the status that the last successful operation requested; empty if no
	// operation ever ran on the game.
	DesiredStatus Status `json:"desired_status,omitempty"`
	// Health is the result of the health check of a running game; empty for another game.
	Health Health `json:"health,omitempty"`
	// HealthSince is when Health last changed; nil if Health is empty.
	HealthSince *time.Time `json:"health_since,omitempty"`
	// Restarts is the number of restarts after crashes within the window of the crash
	// policy.
	Restarts int64 `json:"restarts,omitzero"`
	// CrashLoop reports that the game crashed and has no restart left.
	CrashLoop bool `json:"crash_loop,omitzero"`
	// RestartPending reports that the game crashed and is going to be restarted. It keeps its place on
	// its node.
	RestartPending bool `json:"restart_pending,omitzero"`
	// NodeLostAt is when the loss of the game's node was detected; nil if it is not lost.
	NodeLostAt *time.Time `json:"node_lost_at,omitempty"`
	// Operation is the operation in progress; nil if there is none.
	Operation *OperationInProgress `json:"operation,omitempty"`
}

// Health is the health of a running game.
type Health string

// The values of Health. The zero value is that of a game that does not run.
const (
	HealthHealthy   Health = "healthy"   // its latest health check passed
	HealthUnhealthy Health = "unhealthy" // it failed several health checks in a row, or is paused
	HealthUnknown   Health = "unknown"   // no result yet, or its engine or node does not respond
	HealthNone      Health = "none"      // it has no health check
)

// Healths returns the values of Health of running games.
func Healths() []Health {
	return []Health{HealthHealthy, HealthUnhealthy, HealthUnknown, HealthNone}
}

// ParseHealth returns the health of the name, and otherwise an *InvalidError on the field.
func ParseHealth(field, name string) (Health, error) {
	if slices.Contains(Healths(), Health(name)) {
		return Health(name), nil
	}
	return "", &InvalidError{Field: field, Reason: fmt.Sprintf("%q is not a health; use one of healthy, unhealthy, unknown, none", name)}
}

// OperationInProgress names an operation on a game that has not ended.
type OperationInProgress struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	StartedAt time.Time `json:"started_at"`
}

// EqualExceptCondition reports whether all fields but the condition are equal. The node of a
// game writes the condition at any time, which changes the revision of the record.
func (r RuntimeRecord) EqualExceptCondition(other RuntimeRecord) bool {
	other.Condition, other.Ready = r.Condition, r.Ready
	return r.Equal(other)
}

// WithCondition returns the record with the condition.
func (r RuntimeRecord) WithCondition(condition Condition) RuntimeRecord {
	r = r.Clone()
	r.Condition = condition.Clone()
	r.Ready = r.IsReady()
	return r
}

// IsReady reports whether players can use the game: it runs on a present node, and its
// health check, if any, passes.
func (r RuntimeRecord) IsReady() bool {
	return r.Status == StatusRunning && r.NodeLostAt == nil && (r.Health == HealthHealthy || r.Health == HealthNone)
}

// HoldsPlace reports whether the game uses the capacity of its node: it runs, or it is going to run there
// without another start: it waits for its restart after a crash, or an operation has stopped it in between.
func (r RuntimeRecord) HoldsPlace() bool {
	isBetween := r.Operation != nil && r.DesiredStatus == StatusRunning && r.Operation.Kind != "stop"
	return r.Node != "" && (r.Status == StatusRunning || r.Status == StatusStopped && (r.RestartPending || isBetween))
}

// WithHealth returns the condition with the health. HealthSince becomes now if the health
// changes.
func (c Condition) WithHealth(health Health, now time.Time) Condition {
	switch {
	case health == "":
		c.HealthSince = nil
	case health != c.Health || c.HealthSince == nil:
		at := now.UTC()
		c.HealthSince = &at
	}
	c.Health = health
	return c
}

// WithNodeLost returns the condition of a game whose node is lost since the time, as detected
// at now. The health of a running game is unknown then.
func (c Condition) WithNodeLost(since, now time.Time) Condition {
	at := since.UTC()
	c.NodeLostAt = &at
	if c.Health != "" {
		c = c.WithHealth(HealthUnknown, now)
	}
	return c
}

// Clone returns a copy that shares no memory with c.
func (c Condition) Clone() Condition {
	c.HealthSince, c.NodeLostAt = cloneTime(c.HealthSince), cloneTime(c.NodeLostAt)
	if c.Operation != nil {
		operation := *c.Operation
		c.Operation = &operation
	}
	return c
}

// Equal reports whether all fields are equal. The time zone does not matter.
func (c Condition) Equal(other Condition) bool {
	sameOperation := (c.Operation == nil) == (other.Operation == nil)
	if sameOperation && c.Operation != nil {
		a, b := *c.Operation, *other.Operation
		sameOperation = a.ID == b.ID && a.Kind == b.Kind && a.StartedAt.Equal(b.StartedAt)
	}
	return sameOperation && c.DesiredStatus == other.DesiredStatus && c.Health == other.Health &&
		equalTimes(c.HealthSince, other.HealthSince) && c.Restarts == other.Restarts &&
		c.CrashLoop == other.CrashLoop && c.RestartPending == other.RestartPending && equalTimes(c.NodeLostAt, other.NodeLostAt)
}
