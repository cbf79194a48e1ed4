package api

import (
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// StartRequest is the body of a start: how the game is to be run, and where if it
// has no node yet. Every member may be left out.
type StartRequest struct {
	operation.Spec

	Region string `json:"region,omitempty" doc:"Of a game without a node: the region to start it in"`
	Node   string `json:"node,omitempty" doc:"Of a game without a node: the node to start it on; without a region, one of the region of the daemon that is asked"`
}

// PatchRequest is the body of a patch.
type PatchRequest struct {
	Image string `json:"image" doc:"The image to change to"`
	Force bool   `json:"force,omitempty" doc:"Take an image of another major or minor version too, or one whose version cannot be compared"`
}

// OperationAnswer is how an operation stands when its caller is answered.
type OperationAnswer struct {
	OperationID string         `json:"operation_id" doc:"What the operation is called; a request with the same Idempotency-Key waits for it, or is told how it ended"`
	Kind        operation.Kind `json:"kind" doc:"What it does"`
	GameID      string         `json:"game_id" doc:"The game"`
	Step        operation.Step `json:"step" doc:"How far it had come: finished when it is over"`

	Outcome  *operation.Outcome     `json:"outcome,omitempty" doc:"How it ended; absent while it goes on"`
	Record   *runtime.RuntimeRecord `json:"record,omitempty" doc:"The record as the operation left it, or has written it so far"`
	Revision int64                  `json:"revision,omitempty" doc:"The revision at which that record was written"`
}

// Ended returns the answer for an operation that is over.
func Ended(gameID string, outcome operation.Outcome) OperationAnswer {
	return OperationAnswer{
		OperationID: outcome.OperationID, Kind: outcome.Kind, GameID: gameID, Step: operation.StepFinished,
		Outcome: &outcome, Record: outcome.Record, Revision: outcome.Revision,
	}
}

// SoFar returns the answer for an operation that goes on.
func SoFar(p operation.Progress) OperationAnswer {
	return OperationAnswer{
		OperationID: p.OperationID, Kind: p.Kind, GameID: p.GameID, Step: p.Step, Record: p.Record, Revision: p.Revision,
	}
}

// The types of an OperationEvent.
const (
	TypeProgress  = "progress"
	TypeResult    = "result"
	TypeHeartbeat = "heartbeat"
)

// OperationEvent is one element of the stream that follows an operation: any
// number of progress events, and then one result or one error (TypeError), which is
// the last. Heartbeats fill the silence. Members that do not apply are absent.
type OperationEvent struct {
	Type string `json:"type" enum:"progress,result,error,heartbeat" doc:"What is told"`

	OperationID string         `json:"operation_id,omitempty" doc:"The operation"`
	Kind        operation.Kind `json:"kind,omitempty" doc:"What it does"`
	GameID      string         `json:"game_id,omitempty" doc:"The game"`
	Step        operation.Step `json:"step,omitempty" doc:"How far it has come"`
	At          *time.Time     `json:"at,omitempty" doc:"Of progress: when, by the clock of the node"`
	Text        string         `json:"text,omitempty" doc:"Of progress: more of it, for people"`
	Done        int64          `json:"bytes_done,omitempty" doc:"Of a pull: bytes that have come"`
	Total       int64          `json:"bytes_total,omitempty" doc:"Of a pull: bytes that there are, as far as is known"`

	Outcome  *operation.Outcome     `json:"outcome,omitempty" doc:"Of a result: how the operation ended; absent while it goes on"`
	Record   *runtime.RuntimeRecord `json:"record,omitempty" doc:"The record as the operation has written it"`
	Revision int64                  `json:"revision,omitempty" doc:"The revision at which that record was written"`
	Problem  *Problem               `json:"problem,omitempty" doc:"Of an error: what went wrong"`
}

// ProgressEvent returns the progress as the stream tells it.
func ProgressEvent(p operation.Progress) OperationEvent {
	return OperationEvent{
		Type: TypeProgress, OperationID: p.OperationID, Kind: p.Kind, GameID: p.GameID, Step: p.Step, At: &p.At,
		Text: p.Text, Done: p.BytesDone, Total: p.BytesTotal, Record: p.Record, Revision: p.Revision,
	}
}

// Progress is the inverse of ProgressEvent.
func (e OperationEvent) Progress() operation.Progress {
	p := operation.Progress{
		OperationID: e.OperationID, Kind: e.Kind, GameID: e.GameID, Step: e.Step,
		Text: e.Text, BytesDone: e.Done, BytesTotal: e.Total, Record: e.Record, Revision: e.Revision,
	}
	if e.At != nil {
		p.At = *e.At
	}
	return p
}

// ResultEvent returns the answer as the stream tells it.
func ResultEvent(a OperationAnswer) OperationEvent {
	return OperationEvent{
		Type: TypeResult, OperationID: a.OperationID, Kind: a.Kind, GameID: a.GameID, Step: a.Step,
		Outcome: a.Outcome, Record: a.Record, Revision: a.Revision,
	}
}

// Answer is the inverse of ResultEvent.
func (e OperationEvent) Answer() OperationAnswer {
	return OperationAnswer{
		OperationID: e.OperationID, Kind: e.Kind, GameID: e.GameID, Step: e.Step,
		Outcome: e.Outcome, Record: e.Record, Revision: e.Revision,
	}
}
