package runtime

import "time"

// Condition is what is known about a game in addition to its status. The zero value is the
// condition of a record that an earlier version wrote. The node of the game writes it,
// except NodeLostAt.
type Condition struct {
	// DesiredStatus is the status that the last accepted operation requested; empty if no
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
	HealthUnhealthy Health = "unhealthy" // it failed several health checks in a row
	HealthUnknown   Health = "unknown"   // no result yet, or its engine or node does not respond
	HealthNone      Health = "none"      // it has no health check
)

// OperationInProgress names an operation on a game that has not ended.
type OperationInProgress struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	StartedAt time.Time `json:"started_at"`
}

// IsReady reports whether players can use the game: it runs on a present node, and its
// health check, if any, passes.
func (r RuntimeRecord) IsReady() bool {
	return r.Status == StatusRunning && r.NodeLostAt == nil && (r.Health == HealthHealthy || r.Health == HealthNone)
}

// clone returns a copy that shares no memory with c.
func (c Condition) clone() Condition {
	c.HealthSince, c.NodeLostAt = cloneTime(c.HealthSince), cloneTime(c.NodeLostAt)
	if c.Operation != nil {
		operation := *c.Operation
		c.Operation = &operation
	}
	return c
}

// equal reports whether all fields are equal. The time zone does not matter.
func (c Condition) equal(other Condition) bool {
	sameOperation := (c.Operation == nil) == (other.Operation == nil)
	if sameOperation && c.Operation != nil {
		a, b := *c.Operation, *other.Operation
		sameOperation = a.ID == b.ID && a.Kind == b.Kind && a.StartedAt.Equal(b.StartedAt)
	}
	return sameOperation && c.DesiredStatus == other.DesiredStatus && c.Health == other.Health &&
		equalTimes(c.HealthSince, other.HealthSince) && c.Restarts == other.Restarts &&
		c.CrashLoop == other.CrashLoop && equalTimes(c.NodeLostAt, other.NodeLostAt)
}
