package api

import (
	"time"

	"galaxy/rtmanager/internal/domain/operation"
)

// OperationStatus is the status of an operation.
type OperationStatus string

// The statuses of operations.
const (
	OperationQueued     OperationStatus = "queued" // a stop that waits for the end of the operation that it has preempted
	OperationInProgress OperationStatus = "in_progress"
	OperationSucceeded  OperationStatus = "succeeded"
	OperationFailed     OperationStatus = "failed"
)

// OperationResource is one operation of a game: in progress, or one of the recent ones.
type OperationResource struct {
	ID     string          `json:"id" doc:"The id of the operation, which is the Idempotency-Key of its request"`
	Kind   operation.Kind  `json:"kind" doc:"The kind of operation"`
	GameID string          `json:"game_id" doc:"The game"`
	Status OperationStatus `json:"status" doc:"Whether it waits, is in progress, succeeded or failed"`
	Step   operation.Step  `json:"step" doc:"The step as it is stored, which can be earlier than the one in progress; finished if the operation has ended"`

	Region      string             `json:"region,omitempty" doc:"The region of the node that runs it"`
	Node        string             `json:"node,omitempty" doc:"The node that runs it"`
	Actor       string             `json:"actor,omitempty" doc:"The actor of the request"`
	Reason      string             `json:"reason,omitempty" doc:"The reason of the request"`
	Automatic   bool               `json:"automatic,omitempty" doc:"Whether a daemon started it without a request"`
	StartedAt   time.Time          `json:"started_at" doc:"When it was accepted, by the clock of the node"`
	Deadline    *time.Time         `json:"deadline,omitempty" doc:"Of one in progress: when it is rolled back"`
	PreemptedBy string             `json:"preempted_by,omitempty" doc:"Of one in progress: the id of the stop that has preempted it"`
	Failure     *operation.Failure `json:"failure,omitempty" doc:"Why it has failed, or is being rolled back"`
	Outcome     *operation.Outcome `json:"outcome,omitempty" doc:"Of one that has ended: the outcome"`
}

// OperationList is the response of a list of operations.
type OperationList struct {
	Items []OperationResource `json:"items" doc:"The operations"`
}

// OperationsOf returns the operations of an intent: the one in progress, the stop that waits for it, and the recent
// ones, newest first.
func OperationsOf(intent operation.Intent) []OperationResource {
	found := OperationsInProgress(intent)
	for _, outcome := range intent.Recent {
		found = append(found, finishedOperation(intent.GameID, outcome))
	}
	return found
}

// OperationsInProgress returns the operation in progress of an intent, and the stop that waits for it.
func OperationsInProgress(intent operation.Intent) []OperationResource {
	op := intent.Current
	if op == nil {
		return []OperationResource{}
	}
	current := OperationResource{
		ID: op.ID, Kind: op.Kind, GameID: intent.GameID, Status: OperationInProgress, Step: op.Step, Region: op.Region, Node: op.Node,
		Actor: op.Actor, Reason: op.Reason, Automatic: op.Automatic, StartedAt: op.StartedAt, Failure: op.Failure,
	}
	if !op.Deadline.IsZero() {
		current.Deadline = &op.Deadline
	}
	p := op.PreemptedBy
	if p == nil {
		return []OperationResource{current}
	}
	current.PreemptedBy = p.OperationID
	return []OperationResource{current, {
		ID: p.OperationID, Kind: operation.KindStop, GameID: intent.GameID, Status: OperationQueued, Step: operation.StepAccepted,
		Region: op.Region, Node: op.Node, Actor: p.Actor, Reason: p.Reason, StartedAt: p.At,
	}}
}

func finishedOperation(gameID string, outcome operation.Outcome) OperationResource {
	finished := OperationResource{
		ID: outcome.OperationID, Kind: outcome.Kind, GameID: gameID, Status: OperationSucceeded, Step: operation.StepFinished,
		Region: outcome.Region, Node: outcome.Node, Actor: outcome.Actor, Automatic: outcome.Automatic, StartedAt: outcome.StartedAt,
		Failure: outcome.Failure, Outcome: &outcome,
	}
	if outcome.Failure != nil {
		finished.Status = OperationFailed
	}
	return finished
}
