package runtime

import (
	"slices"
	"time"
)

// allowedTransitions holds every transition that UpdateStatus may make. A removed game has
// none: it comes back only through an Upsert of a fresh record.
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

// Transition returns nil when a record may go from one status to the other,
// and otherwise a *TransitionError, which errors.Is ErrInvalidTransition. A
// status never follows itself, and unknown statuses follow nothing.
func Transition(from, to Status) error {
	if slices.Contains(allowedTransitions(from), to) {
		return nil
	}
	return &TransitionError{From: from, To: to}
}

// Apply returns what r becomes by the transition to the given status at now.
// It is pure: it may run again after a lost race and gives the same answer.
//
// Stopping and removing keep StartedAt; removing empties the container id and
// keeps StoppedAt; running again keeps the container, since it is the same one
// that resumes, and clears StoppedAt. The pair is checked as by Transition and
// nothing else is: whoever calls has compared what it expects of r.
func (r RuntimeRecord) Apply(to Status, now time.Time) (RuntimeRecord, error) {
	if err := Transition(r.Status, to); err != nil {
		return RuntimeRecord{}, err
	}
	after := r.Clone()
	after.Status = to
	after.LastOpAt = now.UTC()
	at := now.UTC()
	switch to {
	case StatusStopped:
		after.StoppedAt = &at
	case StatusRemoved:
		after.RemovedAt = &at
		after.CurrentContainerID = ""
	case StatusRunning:
		after.StartedAt = &at
		after.StoppedAt = nil
	}
	return after, nil
}
