package operation

import (
	"maps"
	"slices"
	"time"

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
	KindAdopt      Kind = "adopt"
	KindReschedule Kind = "reschedule"
)

// Step is how far an operation has come. Each one is written before what it
// names is done.
type Step string

// The steps, in the order in which an operation that has all of them goes
// through them.
const (
	StepAccepted       Step = "accepted"
	StepPulling        Step = "pulling"
	StepCreating       Step = "creating"
	StepStopping       Step = "stopping"
	StepStarting       Step = "starting"
	StepAwaitingHealth Step = "awaiting_health" // the record says so; health is being waited for
	StepRemoving       Step = "removing"
	StepRollingBack    Step = "rolling_back"
	StepFinished       Step = "finished"
)

// Intent is what is meant to be of one game, and how that is coming along. It is
// kept for as long as the game is.
type Intent struct {
	GameID string `json:"game_id"`
	// DesiredStatus is the status that the last operation was to bring about. A record
	// that is stopped while running is wanted tells of a crash.
	DesiredStatus runtime.Status `json:"desired_status"`
	Spec          Spec           `json:"spec"`
	// Current is the operation in progress, nil while there is none.
	Current *Operation `json:"current,omitempty"`
	// Recent are the outcomes of the latest operations, newest first, at most MaxRecent.
	Recent []Outcome `json:"recent,omitempty"`
	// Restarts are the instants at which the game was started again after a crash,
	// newest first, as far as the crash policy still counts them.
	Restarts []time.Time `json:"restarts,omitempty"`
}

// MaxRecent is how many outcomes an Intent remembers; a request repeated with
// the operation id of one of them is answered by it.
const MaxRecent = 16

// AddOutcome puts the outcome before the others. Where they are too many the oldest that
// nobody asked for is forgotten, or else the oldest: nobody repeats a request that he
// has not made.
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

// Operation is one operation in progress. It belongs to the node that it names,
// and there to whoever holds the presence that it names: when that is gone, the
// node's next daemon takes it over.
type Operation struct {
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Region and Node are where it is carried out.
	Region string `json:"region"`
	Node   string `json:"node"`
	// Session is the create revision of the presence of the daemon that carries it out.
	Session int64  `json:"session"`
	Actor   string `json:"actor,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Unasked: a worker began it by itself.
	Automatic bool `json:"automatic,omitempty"`
	// StartedAt, StepAt and Deadline are by the clock of the node.
	StartedAt time.Time `json:"started_at"`
	Deadline  time.Time `json:"deadline"`
	Step      Step      `json:"step"`
	StepAt    time.Time `json:"step_at"`
	// Spec is what the game is to be run as, if the operation succeeds.
	Spec Spec `json:"spec"`
	// Generation is that of the container which the operation makes, 0 if it makes
	// none: one more than the record's.
	Generation int64 `json:"generation,omitempty"`
	// ContainerID is the container that the operation made, once it is made.
	ContainerID string `json:"container_id,omitempty"`
	// PreviousRecord is the record that the operation started from, nil if there was none.
	PreviousRecord *runtime.RuntimeRecord `json:"previous_record,omitempty"`
	// Failure is why the operation is being rolled back.
	Failure *Failure `json:"failure,omitempty"`
}

// Reached reports whether the operation has come to the step, or past it.
func (o Operation) Reached(step Step) bool { return stepIndex(o.Step) >= stepIndex(step) }

// stepIndex orders the steps of an operation that succeeds.
func stepIndex(step Step) int {
	return slices.Index([]Step{StepAccepted, StepPulling, StepCreating, StepStopping, StepStarting, StepAwaitingHealth, StepRemoving, StepFinished}, step)
}

// Outcome returns the outcome of the operation if it ends now, but for the record that
// it leaves.
func (o Operation) Outcome(now time.Time) Outcome {
	return Outcome{
		OperationID: o.ID, Kind: o.Kind, Region: o.Region, Node: o.Node, Actor: o.Actor, Automatic: o.Automatic,
		StartedAt: o.StartedAt, FinishedAt: now, Failure: cloneFailure(o.Failure),
	}
}

// Failure is why an operation did not succeed.
type Failure struct {
	Code    FailureCode `json:"code"`
	Message string      `json:"message"`
}

// FailureCode tells programs why an operation failed.
type FailureCode string

// The codes.
const (
	FailureNoImage  FailureCode = "no_image"
	FailureStart    FailureCode = "start_failed"
	FailureEngine   FailureCode = "engine_unavailable"
	FailureDeadline FailureCode = "deadline"
	FailureConflict FailureCode = "conflict" // somebody else changed the record meanwhile
	FailureInvalid  FailureCode = "invalid"
	FailureNodeLost FailureCode = "node_lost"
	FailureInternal FailureCode = "internal"
)

// Outcome is how an operation ended.
type Outcome struct {
	OperationID string `json:"operation_id"`
	Kind        Kind   `json:"kind"`
	// Region and Node are where it was carried out.
	Region string `json:"region,omitempty"`
	Node   string `json:"node,omitempty"`
	Actor  string `json:"actor,omitempty"`
	// Unasked: a worker began it by itself.
	Automatic  bool      `json:"automatic,omitempty"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	// Failure is nil for an operation that succeeded.
	Failure *Failure `json:"failure,omitempty"`
	// Record is the record that the operation left, nil if there was none. Revision
	// is where it was written.
	Record   *runtime.RuntimeRecord `json:"record,omitempty"`
	Revision int64                  `json:"revision,omitempty"`
}

// OutcomeOf returns the outcome of the operation with this id, if it is among
// the recent ones.
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
// the window before now. One from the future, by a clock that was ahead, counts too,
// but not from beyond a window: it would hold the game down until then.
func RestartsWithin(restarts []time.Time, window time.Duration, now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(restarts), func(at time.Time) bool { return now.Sub(at).Abs() > window })
}
