package operation

import (
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
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
	// RequestHash is that of the Operation.
	RequestHash string `json:"request_hash,omitempty"`
	// Unchanged reports that there was nothing to do: the game was as requested before.
	Unchanged bool `json:"unchanged,omitzero"`
	// Attempts are the nodes on which the operation failed before the one that it ended on.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Failure is nil if the operation succeeded.
	Failure *Failure `json:"failure,omitempty"`
	// Record is the record after the operation, nil if there was none. Revision is the
	// revision of the operation's last write of it. The node then writes the condition that
	// Record has already, for example that the game is healthy.
	Record   *runtime.RuntimeRecord `json:"record,omitempty"`
	Revision int64                  `json:"revision,omitempty"`
}

// Clone returns a copy that shares no memory with o.
func (o Outcome) Clone() Outcome {
	o.Record, o.Failure, o.Attempts = cloneRecord(o.Record), cloneFailure(o.Failure), slices.Clone(o.Attempts)
	return o
}

// Failure is the reason why an operation did not succeed.
type Failure struct {
	Code    FailureCode `json:"code"`
	Message string      `json:"message"`
	// NodeFault reports that the reason is the node and not the game: its engine, its images, its
	// ports. Another node may succeed.
	NodeFault bool `json:"node_fault,omitzero"`
}

// FailureCode is the machine-readable reason of a failure.
type FailureCode string

// The codes.
const (
	FailureNoImage  FailureCode = "no_image"
	FailureRegistry FailureCode = "registry_unreachable"
	FailureStart    FailureCode = "start_failed"
	FailureEngine   FailureCode = "engine_unavailable"
	FailureDeadline FailureCode = "deadline"
	FailureConflict FailureCode = "conflict" // another writer changed the record
	FailureInvalid  FailureCode = "invalid"
	FailureSecrets  FailureCode = "secrets" // a secret of the game cannot be provided
	FailureNodeLost FailureCode = "node_lost"
	// FailurePreempted: a stop preempted the operation.
	FailurePreempted FailureCode = "preempted"
	// FailureCanceled: a request canceled the operation.
	FailureCanceled FailureCode = "canceled"
	FailureInternal FailureCode = "internal"
)

func cloneRecord(record *runtime.RuntimeRecord) *runtime.RuntimeRecord {
	if record == nil {
		return nil
	}
	copied := record.Clone()
	return &copied
}

func cloneFailure(f *Failure) *Failure { return clonePointer(f) }

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	copied := *p
	return &copied
}
