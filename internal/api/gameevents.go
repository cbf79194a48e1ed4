package api

import (
	"time"

	"galaxy/rtmanager/internal/domain/gameevent"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Types of the elements of a stream of events that are no events of a game, in addition to TypeError.
const (
	// TypeBookmark: every event up to the revision was sent.
	TypeBookmark = "bookmark"
	// TypeResync: events before the revision are missing, because the stream could not continue.
	TypeResync = "resync"
)

// GameEvent is one element of a stream of events: an event of a game, a bookmark, a resync, or an error. Members that
// do not apply are absent.
type GameEvent struct {
	Type          string           `json:"type" enum:"created,node_lost,node_returned,operation_started,moved,image_changed,status_changed,crash_restarted,crash_loop,crash_loop_ended,health_changed,ready_changed,labels_changed,metadata_changed,operation_finished,deleted,bookmark,resync,error" doc:"What has happened; bookmark, resync and error concern the stream"`
	Revision      int64            `json:"revision" doc:"The revision of the change; together with game_id and type it identifies the event"`
	GameID        string           `json:"game_id,omitempty" doc:"The game"`
	Time          *time.Time       `json:"time,omitempty" doc:"When it happened, by the clock of the node that wrote it"`
	Region        string           `json:"region,omitempty" doc:"The region of the game after the change"`
	Node          string           `json:"node,omitempty" doc:"The node of the game after the change"`
	Status        runtime.Status   `json:"status,omitempty" doc:"The status of the game after the change"`
	From          string           `json:"from,omitempty" doc:"The value before the change: a status, health, image, or node REGION/NODE"`
	To            string           `json:"to,omitempty" doc:"The value after the change"`
	OperationID   string           `json:"operation_id,omitempty" doc:"The operation, or the one that wrote the change"`
	OperationKind string           `json:"operation_kind,omitempty" doc:"The kind of the operation"`
	Result        gameevent.Result `json:"result,omitempty" enum:"succeeded,failed,unknown" doc:"Of operation_finished: the result; unknown if its outcome is not kept any more"`
	FailureCode   string           `json:"failure_code,omitempty" doc:"Of an operation that failed: the code"`
	Failure       string           `json:"failure,omitempty" doc:"Of an operation that failed: the reason"`
	Actor         string           `json:"actor,omitempty" doc:"The actor that requested the operation or the write"`
	Reason        string           `json:"reason,omitempty" doc:"Why the actor or a node did it; of a resync: compacted, other_store or future_revision"`
	Text          string           `json:"text,omitempty" doc:"A description in one line"`
	Last          bool             `json:"last,omitempty" doc:"Whether a client that has processed this element can resume from its revision"`
	Error         *Problem         `json:"error,omitempty" doc:"Of an error: the problem"`
	Final         *bool            `json:"final,omitempty" doc:"Of an error: whether it ends the stream"`
}

// GameEventFrom converts an event of the revision.
func GameEventFrom(e gameevent.Event, revision int64) GameEvent {
	return GameEvent{
		Type: string(e.Type), Revision: revision, GameID: e.GameID, Time: &e.Time, Region: e.Region, Node: e.Node, Status: e.Status, From: e.From, To: e.To,
		OperationID: e.OperationID, OperationKind: e.OperationKind, Result: e.Result, FailureCode: e.FailureCode, Failure: e.Failure,
		Actor: e.Actor, Reason: e.Reason, Text: e.Text(),
	}
}
