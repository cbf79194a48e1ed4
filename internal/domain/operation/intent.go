package operation

import (
	"maps"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Kind is what an operation does.
type Kind string

// The kinds of operation.
const (
	KindStart      Kind = "start"
	KindStop       Kind = "stop"
	KindRestart    Kind = "restart"
	KindPatch      Kind = "patch"
	KindCleanup    Kind = "cleanup"
	KindReschedule Kind = "reschedule"
)

// Step is the progress of an operation. A step is stored before the daemon acts on it.
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

// Intent is the desired state of one game, with the operation in progress and the
// recent outcomes. The store keeps it as long as the game.
type Intent struct {
	GameID string `json:"game_id"`
	// DesiredStatus is the status that the last successful operation aimed at. A stopped
	// record whose desired status is running means that the game crashed.
	DesiredStatus runtime.Status `json:"desired_status"`
	Spec          Spec           `json:"spec"`
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

// AddOutcome prepends the outcome. If that exceeds MaxRecent it drops the oldest
// automatic operation, or the oldest operation if none is automatic: only clients retry
// by operation ID.
func (in *Intent) AddOutcome(outcome Outcome) {
	in.Recent = slices.Insert(in.Recent, 0, outcome)
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

// Operation is one operation in progress. It belongs to the daemon of its node whose
// session it names. When that session ends, the node's next daemon takes the operation
// over.
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
	// StartedAt, StepAt and Deadline are times of the node's clock.
	StartedAt time.Time `json:"started_at"`
	Deadline  time.Time `json:"deadline"`
	Step      Step      `json:"step"`
	StepAt    time.Time `json:"step_at"`
	// Spec becomes the game's spec if the operation succeeds.
	Spec Spec `json:"spec"`
	// Generation is the generation of the container that the operation creates: one more
	// than the record's. It is 0 if the operation creates none.
	Generation int64 `json:"generation,omitempty"`
	// ContainerID is the container that the operation created. It is stored with the step
	// that follows StepCreating.
	ContainerID string `json:"container_id,omitempty"`
	// PreviousRecord is the record before the operation, nil if there was none.
	PreviousRecord *runtime.RuntimeRecord `json:"previous_record,omitempty"`
	// Failure is the reason of a rollback in progress.
	Failure *Failure `json:"failure,omitempty"`
}

// NodeRef names the node that runs the operation.
func (o Operation) NodeRef() node.Ref { return node.Ref{Region: o.Region, Name: o.Node} }

// Reached reports whether the operation is at the step or past it.
func (o Operation) Reached(step Step) bool { return stepIndex(o.Step) >= stepIndex(step) }

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
		StartedAt: o.StartedAt, FinishedAt: now, Failure: cloneFailure(o.Failure),
	}
}

// Failure is the reason why an operation did not succeed.
type Failure struct {
	Code    FailureCode `json:"code"`
	Message string      `json:"message"`
}

// FailureCode is the machine-readable reason of a failure.
type FailureCode string

// The codes.
const (
	FailureNoImage  FailureCode = "no_image"
	FailureStart    FailureCode = "start_failed"
	FailureEngine   FailureCode = "engine_unavailable"
	FailureDeadline FailureCode = "deadline"
	FailureConflict FailureCode = "conflict" // another writer changed the record
	FailureInvalid  FailureCode = "invalid"
	FailureNodeLost FailureCode = "node_lost"
	FailureInternal FailureCode = "internal"
)

// Outcome is the result of an operation.
type Outcome struct {
	OperationID string `json:"operation_id"`
	Kind        Kind   `json:"kind"`
	// Region and Node name the node that ran the operation.
	Region string `json:"region,omitempty"`
	Node   string `json:"node,omitempty"`
	Actor  string `json:"actor,omitempty"`
	// Automatic reports that a worker started the operation without a request.
	Automatic  bool      `json:"automatic,omitempty"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	// Failure is nil if the operation succeeded.
	Failure *Failure `json:"failure,omitempty"`
	// Record is the record after the operation, nil if there was none. Revision is the
	// revision at which it was written.
	Record   *runtime.RuntimeRecord `json:"record,omitempty"`
	Revision int64                  `json:"revision,omitempty"`
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

// Clone returns a copy that shares no memory with in.
func (in Intent) Clone() Intent {
	in.Spec = in.Spec.Clone()
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

// Clone returns a copy that shares no memory with s.
func (s Spec) Clone() Spec {
	s.Args, s.Env = slices.Clone(s.Args), maps.Clone(s.Env)
	return s
}

// Clone returns a copy that shares no memory with o.
func (o Operation) Clone() Operation {
	o.Spec = o.Spec.Clone()
	o.PreviousRecord, o.Failure = cloneRecord(o.PreviousRecord), cloneFailure(o.Failure)
	return o
}

// Clone returns a copy that shares no memory with o.
func (o Outcome) Clone() Outcome {
	o.Record, o.Failure = cloneRecord(o.Record), cloneFailure(o.Failure)
	return o
}

func cloneRecord(record *runtime.RuntimeRecord) *runtime.RuntimeRecord {
	if record == nil {
		return nil
	}
	copied := record.Clone()
	return &copied
}

func cloneFailure(f *Failure) *Failure {
	if f == nil {
		return nil
	}
	copied := *f
	return &copied
}

// RestartsWithin returns the restarts that a crash policy still counts: those within
// the window before now. A restart in the future, written by a clock that was ahead,
// counts too, but only within one window: otherwise it would block restarts until then.
func RestartsWithin(restarts []time.Time, window time.Duration, now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(restarts), func(at time.Time) bool { return now.Sub(at).Abs() > window })
}
