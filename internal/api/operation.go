package api

import (
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// StartRequest is the body of POST /v1/runtimes/{game_id}/start: the spec of the game, and
// where to run it if it has no node yet. Without a member of the spec the game keeps its
// previous spec. Otherwise the members replace the whole spec: an omitted image keeps its
// value, and any other omitted member has its default.
type StartRequest struct {
	operation.Spec

	// Labels replace the labels of the game; nil keeps them.
	Labels map[string]string `json:"labels,omitempty" doc:"The labels of the game, which replace the current ones; an omitted member keeps them"`
	// Metadata replaces that of the game; empty keeps it.
	Metadata runtime.Metadata `json:"metadata,omitzero" doc:"Metadata of the game, which replaces the current one; an omitted member keeps it"`

	Pull   bool   `json:"pull,omitempty" doc:"Pull the image even if the node has it, and create a new container unless the game runs"`
	Region string `json:"region,omitempty" doc:"For a game without a node: the region to start it in"`
	Node   string `json:"node,omitempty" doc:"For a game without a node: the node to start it on; without a region, a node of the region of the daemon that receives the request"`
}

// PatchRequest is the body of POST /v1/runtimes/{game_id}/patch.
type PatchRequest struct {
	Image string          `json:"image,omitempty" doc:"The new image; required without a spec"`
	Spec  *operation.Spec `json:"spec,omitempty" doc:"All settings of the game, in place of the current ones; without an image, the game keeps its image. Settings of the container are changed by a new one. Those of the health check, of stops and of crashes are changed without a restart"`
	Force bool            `json:"force,omitempty" doc:"Allow an image of another major or minor version, or one whose version cannot be compared; without a spec, create a new container also if the game has this image"`
	Pull  bool            `json:"pull,omitempty" doc:"Pull the image even if the node has it, and create a new container"`
}

// StopRequest is the optional body of POST /v1/runtimes/{game_id}/stop.
type StopRequest struct {
	Grace *operation.Duration `json:"grace,omitempty" doc:"How long the game may take to exit before it is killed, such as 2s; 0s kills it at once. Default: the stop_grace of the game"`
}

// MoveRequest is the body of POST /v1/runtimes/{game_id}/move.
type MoveRequest struct {
	Region string `json:"region,omitempty" doc:"The region of the node; absent means that of the game"`
	Node   string `json:"node" required:"true" doc:"The node that is to run the game"`
	Force  bool   `json:"force,omitempty" doc:"Allow a cordoned node"`
}

// EmptyRequest is the optional body of an operation without options.
type EmptyRequest struct{}

// OperationResult is the response to the request of an operation. It describes an
// operation that has ended, or one that continues after the response.
type OperationResult struct {
	OperationID string         `json:"operation_id" doc:"The id of the operation; a request with the same Idempotency-Key waits for it, or returns its outcome"`
	Kind        operation.Kind `json:"kind" doc:"The kind of operation"`
	GameID      string         `json:"game_id" doc:"The game"`
	Step        operation.Step `json:"step" doc:"The latest step; finished if the operation has ended"`

	Outcome  *operation.Outcome     `json:"outcome,omitempty" doc:"The outcome; absent while the operation continues"`
	Record   *runtime.RuntimeRecord `json:"record,omitempty" doc:"The record as the operation has written it"`
	Revision int64                  `json:"revision,omitempty" doc:"The revision of that record"`
	// Placement is set for a dry run only.
	Placement *Placement `json:"placement,omitempty" doc:"Of a dry run: on which node the game would be started, and why; nothing was done"`
}

// ResultOf returns the result of an operation that has ended.
func ResultOf(gameID string, outcome operation.Outcome) OperationResult {
	return OperationResult{
		OperationID: outcome.OperationID, Kind: outcome.Kind, GameID: gameID, Step: operation.StepFinished,
		Outcome: &outcome, Record: outcome.Record, Revision: outcome.Revision,
	}
}

// InterimResult returns the result for an operation that continues.
func InterimResult(p operation.Progress) OperationResult {
	return OperationResult{
		OperationID: p.OperationID, Kind: p.Kind, GameID: p.GameID, Step: p.Step, Record: p.Record, Revision: p.Revision,
	}
}

// Types of an OperationEvent, in addition to TypeError.
const (
	TypeProgress  = "progress"
	TypeResult    = "result"
	TypeHeartbeat = "heartbeat"
)

// OperationEvent is one element of the stream of an operation: any number of progress
// events and heartbeats, then one result or one error, which is the last. Members that
// do not apply are absent.
type OperationEvent struct {
	Type string `json:"type" enum:"progress,result,error,heartbeat" doc:"The type of the event"`

	OperationID string         `json:"operation_id,omitempty" doc:"The id of the operation"`
	Kind        operation.Kind `json:"kind,omitempty" doc:"The kind of operation"`
	GameID      string         `json:"game_id,omitempty" doc:"The game"`
	Step        operation.Step `json:"step,omitempty" doc:"The current step"`
	At          *time.Time     `json:"at,omitempty" doc:"Of progress: the time, by the clock of the node"`
	Text        string         `json:"text,omitempty" doc:"Of progress: a description for display"`
	BytesDone   int64          `json:"bytes_done,omitempty" doc:"Of a pull: the number of bytes received"`
	BytesTotal  int64          `json:"bytes_total,omitempty" doc:"Of a pull: the number of bytes to receive, as far as it is known"`

	Outcome  *operation.Outcome     `json:"outcome,omitempty" doc:"Of a result: the outcome; absent if the operation continues"`
	Record   *runtime.RuntimeRecord `json:"record,omitempty" doc:"The record as the operation has written it"`
	Revision int64                  `json:"revision,omitempty" doc:"The revision of that record"`
	Problem  *Problem               `json:"problem,omitempty" doc:"Of an error: the problem"`
}

// ProgressEvent converts progress to an event.
func ProgressEvent(p operation.Progress) OperationEvent {
	return OperationEvent{
		Type: TypeProgress, OperationID: p.OperationID, Kind: p.Kind, GameID: p.GameID, Step: p.Step, At: &p.At,
		Text: p.Text, BytesDone: p.BytesDone, BytesTotal: p.BytesTotal, Record: p.Record, Revision: p.Revision,
	}
}

// Progress is the inverse of ProgressEvent.
func (e OperationEvent) Progress() operation.Progress {
	p := operation.Progress{
		OperationID: e.OperationID, Kind: e.Kind, GameID: e.GameID, Step: e.Step,
		Text: e.Text, BytesDone: e.BytesDone, BytesTotal: e.BytesTotal, Record: e.Record, Revision: e.Revision,
	}
	if e.At != nil {
		p.At = *e.At
	}
	return p
}

// ResultEvent converts a result to an event.
func ResultEvent(r OperationResult) OperationEvent {
	return OperationEvent{
		Type: TypeResult, OperationID: r.OperationID, Kind: r.Kind, GameID: r.GameID, Step: r.Step,
		Outcome: r.Outcome, Record: r.Record, Revision: r.Revision,
	}
}

// Result is the inverse of ResultEvent.
func (e OperationEvent) Result() OperationResult {
	return OperationResult{
		OperationID: e.OperationID, Kind: e.Kind, GameID: e.GameID, Step: e.Step,
		Outcome: e.Outcome, Record: e.Record, Revision: e.Revision,
	}
}
