package runtime

import (
	"slices"
	"time"
)

// allowedTransitions returns the statuses that may follow from. No status may follow
// removed: only an Upsert of a new record restores a removed game.
func allowedTransitions(from Status) []Status {
	switch from {
	case StatusRunning:
		return []Status{StatusStopped, StatusRemoved}
	case StatusStopped:
		return []Status{StatusRunning, StatusRemoved}
	default:
		return nil
	}
}

// Transition returns nil if a record may change from one status to the other. Otherwise
// it returns a *TransitionError, which errors.Is ErrInvalidTransition. A transition to
// the same status, and one from or to an unknown status, is not allowed.
func Transition(from, to Status) error {
	if slices.Contains(allowedTransitions(from), to) {
		return nil
	}
	return &TransitionError{From: from, To: to}
}

// Apply returns the record after a transition to the status at the time now. It does not
// modify r and shares no memory with it. It is a pure function, so a compare-and-swap
// loop can call it for each attempt.
//
// Stopping and removing keep StartedAt, and clear the ports and the health, which only a
// running game has. Removing also clears the container id and NodeLostAt, and keeps
// StoppedAt. Resuming keeps the container, since the same one runs, and clears
// StoppedAt and CrashLoop. Every transition clears Ports. Apply checks the pair of statuses as
// Transition does and nothing else: the
// caller has compared its other preconditions.
func (r RuntimeRecord) Apply(to Status, now time.Time) (RuntimeRecord, error) {
	if err := Transition(r.Status, to); err != nil {
		return RuntimeRecord{}, err
	}
	after := r.Clone()
	after.Status = to
	after.LastOpAt = now.UTC()
	at := now.UTC()
	after.Ports = nil // a start can have others
	switch to {
	case StatusStopped:
		after.StoppedAt = &at
		after.clearRunning()
	case StatusRemoved:
		after.RemovedAt = &at
		after.CurrentContainerID = ""
		after.NodeLostAt = nil
		after.clearRunning()
	case StatusRunning:
		after.StartedAt = &at
		after.StoppedAt = nil
		after.CrashLoop = false
	}
	after.Ready = after.IsReady()
	return after, nil
}

// clearRunning clears what only a running game has.
func (r *RuntimeRecord) clearRunning() {
	r.Ports, r.Health, r.HealthSince = nil, "", nil
}
