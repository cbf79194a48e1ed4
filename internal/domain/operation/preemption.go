package operation

import "time"

// Preemption is a stop that waits for the end of the operation that it has preempted. It
// becomes the operation in progress in the write that stores the outcome of the preempted
// one, so no daemon can lose it.
type Preemption struct {
	OperationID string `json:"operation_id"`
	Actor       string `json:"actor,omitempty"`
	Reason      string `json:"reason,omitempty"`
	RequestHash string `json:"request_hash,omitempty"`
	// StopGrace is the stop grace of the stop, nil for that of the spec.
	StopGrace *Duration `json:"stop_grace,omitempty"`
	// At is the time of the request by the node's clock.
	At time.Time `json:"at"`
}

// KillAt returns when the operation kills a container that does not exit: the stop grace
// after the step started, or earlier if a preemption has a shorter grace.
func (o Operation) KillAt() time.Time {
	at := o.StepAt.Add(o.stopGrace(o.StopGrace))
	if p := o.PreemptedBy; p != nil {
		if cut := p.At.Add(o.stopGrace(p.StopGrace)); cut.Before(at) {
			return cut
		}
	}
	return at
}

// MinStopGrace returns the shortest stop grace that was requested for the operation.
func (o Operation) MinStopGrace() time.Duration {
	grace := o.stopGrace(o.StopGrace)
	if p := o.PreemptedBy; p != nil {
		grace = min(grace, o.stopGrace(p.StopGrace))
	}
	return grace
}

// stopGrace returns the requested stop grace, and that of the spec for nil.
func (o Operation) stopGrace(requested *Duration) time.Duration {
	if requested != nil {
		return time.Duration(*requested)
	}
	return time.Duration(o.Spec.WithDefaults().StopGrace)
}

// IsPreemptedBy reports whether a stop with the grace, nil for that of the spec, preempts
// the operation at the time now:
//
//   - a start, restart, patch, reschedule or move, unless a stop that kills no later waits,
//   - a stop, if it would kill the game earlier,
//   - no cleanup.
func (o Operation) IsPreemptedBy(grace *Duration, now time.Time) bool {
	switch {
	case o.Kind == KindCleanup:
		return false
	case o.Kind != KindStop && o.PreemptedBy == nil:
		return true
	default:
		return grace != nil && now.Add(time.Duration(*grace)).Before(o.KillAt())
	}
}
