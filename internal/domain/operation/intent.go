package operation

import (
	"maps"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Intent is the desired state of one game, with the operation in progress and the
// recent outcomes. The store keeps it as long as the game.
type Intent struct {
	GameID string `json:"game_id"`
	// DesiredStatus is the status that the last successful operation requested. A stopped
	// record whose desired status is running means that the game crashed.
	DesiredStatus runtime.Status `json:"desired_status"`
	Spec          Spec           `json:"spec"`
	// Labels are those that the last start named. A record that is inserted for an adopted container
	// gets them.
	Labels map[string]string `json:"labels,omitempty"`
	// Metadata is the metadata of the last start that named some, for the same purpose.
	Metadata runtime.Metadata `json:"metadata,omitzero"`
	// Current is the operation in progress, nil if there is none.
	Current *Operation `json:"current,omitempty"`
	// Recent holds the outcomes of the latest operations, newest first, at most MaxRecent.
	Recent []Outcome `json:"recent,omitempty"`
	// Restarts holds the times of the restarts after crashes, newest first. Restarts
	// outside the window of the crash policy are dropped.
	Restarts []time.Time `json:"restarts,omitempty"`
}

// MaxRecent is the maximum number of outcomes that an Intent keeps. A request with the
// operation ID of one of them returns that outcome.
const MaxRecent = 16

// AddOutcome prepends the outcome. Only the newest outcome keeps the metadata of its record, which
// may be large. If that exceeds MaxRecent it drops the oldest
// automatic operation, or the oldest operation if none is automatic: only clients retry
// by operation ID.
func (in *Intent) AddOutcome(outcome Outcome) {
	in.Recent = slices.Insert(in.Recent, 0, outcome)
	for i := range in.Recent[1:] {
		if record := in.Recent[i+1].Record; record != nil && record.Metadata != "" {
			in.Recent[i+1].Record = cloneRecord(record)
			in.Recent[i+1].Record.Metadata = ""
		}
	}
	if len(in.Recent) <= MaxRecent {
		return
	}
	last := len(in.Recent) - 1
	for i := last; i > 0; i-- {
		if in.Recent[i].Automatic {
			last = i
			break
		}
	}
	in.Recent = slices.Delete(in.Recent, last, last+1)
}

// OutcomeOf returns the outcome of the operation, and false if it is not among the
// recent ones.
func (in Intent) OutcomeOf(operationID string) (Outcome, bool) {
	i := slices.IndexFunc(in.Recent, func(o Outcome) bool { return o.OperationID == operationID })
	if i < 0 {
		return Outcome{}, false
	}
	return in.Recent[i], true
}

// OperationIDs returns the ids of the operations that the intent has: the one in progress, the stop
// that follows it, and those of the recent outcomes. Each is contained once, in no particular order.
func (in Intent) OperationIDs() []string {
	var ids []string
	add := func(id string) {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if op := in.Current; op != nil {
		add(op.ID)
		if op.PreemptedBy != nil {
			add(op.PreemptedBy.OperationID)
		}
	}
	for _, outcome := range in.Recent {
		add(outcome.OperationID)
	}
	return ids
}

// SpecOf returns the spec by which the container runs. It is that of the operation in
// progress if that created the container, or if no operation has succeeded before.
func (in Intent) SpecOf(containerID string) Spec {
	op := in.Current
	if op != nil && (in.Spec.Image == "" || op.ContainerID != "" && op.ContainerID == containerID) {
		return op.Spec
	}
	return in.Spec
}

// NodesWithContainers returns the nodes that may have a container of the game, as far as the
// recent outcomes show: those whose latest operation is not a successful cleanup. A node that
// is present removes such a container once the record does not name it.
func (in Intent) NodesWithContainers() []node.Ref {
	var nodes []node.Ref
	isKnown := map[node.Ref]bool{{}: true} // an outcome of an early version names no node
	for _, o := range in.Recent {
		ref := node.Ref{Region: o.Region, Name: o.Node}
		if !isKnown[ref] && (o.Kind != KindCleanup || o.Failure != nil) {
			nodes = append(nodes, ref)
		}
		isKnown[ref] = true
	}
	return nodes
}

// Clone returns a copy that shares no memory with in.
func (in Intent) Clone() Intent {
	in.Spec, in.Labels = in.Spec.Clone(), maps.Clone(in.Labels)
	if in.Current != nil {
		current := in.Current.Clone()
		in.Current = &current
	}
	in.Recent = slices.Clone(in.Recent)
	for i := range in.Recent {
		in.Recent[i] = in.Recent[i].Clone()
	}
	in.Restarts = slices.Clone(in.Restarts)
	return in
}

// CanRestart reports whether the crash policy of a game that should run has a restart left.
func (in Intent) CanRestart(now time.Time) bool {
	policy := in.Spec.WithDefaults().Crash
	restarts := RestartsWithin(in.Restarts, time.Duration(policy.Window), now)
	return in.DesiredStatus == runtime.StatusRunning && len(restarts) < policy.Attempts
}

// RestartsUntil returns the restarts at or before the time; all for nil.
func RestartsUntil(restarts []time.Time, last *time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(restarts), func(at time.Time) bool { return last != nil && at.After(*last) })
}

// RestartsWithin returns the restarts that a crash policy counts: those at most one window
// before or after now. A restart is after now if the clock that wrote it was ahead. One
// that is more than a window ahead does not count: it would block restarts until then.
func RestartsWithin(restarts []time.Time, window time.Duration, now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(restarts), func(at time.Time) bool { return now.Sub(at).Abs() > window })
}
