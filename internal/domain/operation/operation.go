package operation

import (
	"maps"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Kind is the kind of an operation.
type Kind string

// The kinds of operation.
const (
	KindStart      Kind = "start"
	KindStop       Kind = "stop"
	KindRestart    Kind = "restart"
	KindPatch      Kind = "patch"
	KindCleanup    Kind = "cleanup"
	KindReschedule Kind = "reschedule"
	KindMove       Kind = "move"
)

// DesiredStatus returns the desired status of a game after a successful operation of the kind,
// for the one before it.
func (k Kind) DesiredStatus(before runtime.Status) runtime.Status {
	switch k {
	case KindStart, KindRestart, KindReschedule:
		return runtime.StatusRunning
	case KindStop:
		return runtime.StatusStopped
	case KindCleanup:
		return runtime.StatusRemoved
	default: // a patch does not change it
		return before
	}
}

// Step is the progress of an operation. The stored step may be earlier than the
// one in progress; see the package comment.
type Step string

// The steps, in order. No kind of operation has all of them; see the package comment.
const (
	StepAccepted       Step = "accepted"
	StepPulling        Step = "pulling"
	StepCreating       Step = "creating"
	StepStopping       Step = "stopping"
	StepStarting       Step = "starting"
	StepAwaitingHealth Step = "awaiting_health" // the record is running; the health check has not passed yet
	StepRemoving       Step = "removing"
	StepRollingBack    Step = "rolling_back"
	StepFinished       Step = "finished" // reported to clients of the API, never stored
)

// Operation is one operation in progress. Session names the daemon that runs it. When
// that session ends, the node's next daemon claims the operation and continues it.
type Operation struct {
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Region and Node name the node that runs the operation.
	Region string `json:"region"`
	Node   string `json:"node"`
	// Session is the create revision of the presence key of the daemon that runs the
	// operation. It is 0 if the operation was assigned to the node and has not started.
	Session int64  `json:"session"`
	Actor   string `json:"actor,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Automatic reports that a worker started the operation without a request.
	Automatic bool `json:"automatic,omitempty"`
	// StartedAt, StepAt and Deadline are times of the node's clock. The timeout of a step
	// counts from StepAt, and so survives a restart of the daemon.
	StartedAt time.Time `json:"started_at"`
	Deadline  time.Time `json:"deadline"`
	Step      Step      `json:"step"`
	StepAt    time.Time `json:"step_at"`
	// Spec becomes the game's spec if the operation succeeds.
	Spec Spec `json:"spec"`
	// Labels become the labels of the game with its record; nil keeps them.
	Labels map[string]string `json:"labels,omitzero"`
	// Metadata becomes that of the game with its record; empty keeps it, and {} removes it.
	Metadata runtime.Metadata `json:"metadata,omitzero"`
	// Generation is the generation of the container that the operation creates: one more
	// than the record's. It is 0 if the operation creates none.
	Generation int64 `json:"generation,omitempty"`
	// Pull reports that the image is pulled even if it is on the node.
	Pull bool `json:"pull,omitzero"`
	// ContainerID is the container that the operation created. It is stored with the step
	// that follows StepCreating.
	ContainerID string `json:"container_id,omitempty"`
	// PreviousRecord is the record before the operation, nil if there was none.
	PreviousRecord *runtime.RuntimeRecord `json:"previous_record,omitempty"`
	// AnyNode reports that the request named no node, so a start that fails on this one for a reason
	// of the node continues on another.
	AnyNode bool `json:"any_node,omitzero"`
	// Attempts are the nodes on which the operation failed before, the first one first.
	Attempts []Attempt `json:"attempts,omitempty"`
	// RemainingMS is the time until the deadline when another node handed the operation over, whose
	// clock may differ; 0 if it is not known.
	RemainingMS int64 `json:"remaining_ms,omitzero"`
	// Reserved reports that the node has a reservation for the operation, which ends with it.
	Reserved bool `json:"reserved,omitempty"`
	// RequestHash identifies the content of the request. A request with the same ID and
	// another hash is rejected. It is empty for an operation without a request.
	RequestHash string `json:"request_hash,omitempty"`
	// StopGrace is the stop grace of this stop, nil for that of the spec.
	StopGrace *Duration `json:"stop_grace,omitempty"`
	// Target is the node that runs the game after a move, nil for other kinds. Region and Node
	// are the node that runs the next step.
	Target *node.Ref `json:"target,omitempty"`
	// SourceStopping means that a move has been handed to the node of the game to stop it, so
	// that node must start it in a rollback.
	SourceStopping bool `json:"source_stopping,omitempty"`
	// PreemptedBy is the stop that follows this operation, nil if there is none.
	PreemptedBy *Preemption `json:"preempted_by,omitempty"`
	// Failure is the reason of a rollback in progress.
	Failure *Failure `json:"failure,omitempty"`
}

// Assignment assigns a game to a node by a new operation.
type Assignment struct {
	To node.Ref
	// OperationID is the id of the operation; empty means a new one.
	OperationID string
	// IsReserved reports that the node has a reservation for the operation.
	IsReserved bool
}

// NodeRef names the node that runs the operation.
func (o Operation) NodeRef() node.Ref { return node.Ref{Region: o.Region, Name: o.Node} }

// HasReached reports whether the operation is at the step or past it.
func (o Operation) HasReached(step Step) bool { return stepIndex(o.Step) >= stepIndex(step) }

// stepIndex returns the position of the step in a successful operation, and -1 for
// StepRollingBack.
func stepIndex(step Step) int {
	return slices.Index([]Step{StepAccepted, StepPulling, StepCreating, StepStopping, StepStarting, StepAwaitingHealth, StepRemoving, StepFinished}, step)
}

// Outcome returns the outcome of the operation if it ends at now. Record and Revision
// are not set.
func (o Operation) Outcome(now time.Time) Outcome {
	return Outcome{
		OperationID: o.ID, Kind: o.Kind, Region: o.Region, Node: o.Node, Actor: o.Actor, Automatic: o.Automatic,
		StartedAt: o.StartedAt, FinishedAt: now, RequestHash: o.RequestHash, Failure: cloneFailure(o.Failure),
		Attempts:  slices.Clone(o.Attempts),
		Unchanged: o.Kind == KindPatch && o.Generation == 0 && o.Failure == nil,
	}
}

// Clone returns a copy that shares no memory with o.
func (o Operation) Clone() Operation {
	o.Spec = o.Spec.Clone()
	o.PreviousRecord, o.Failure = cloneRecord(o.PreviousRecord), cloneFailure(o.Failure)
	o.Attempts = slices.Clone(o.Attempts)
	o.StopGrace, o.Target, o.Labels = clonePointer(o.StopGrace), clonePointer(o.Target), maps.Clone(o.Labels)
	if o.PreemptedBy = clonePointer(o.PreemptedBy); o.PreemptedBy != nil {
		o.PreemptedBy.StopGrace = clonePointer(o.PreemptedBy.StopGrace)
	}
	return o
}
