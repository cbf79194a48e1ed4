package api

import (
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Media types of streams.
const (
	EventStreamMediaType = "text/event-stream"
	NDJSONMediaType      = "application/x-ndjson"
)

// TypeError is the type of a stream element that carries an error.
const TypeError = "error"

// Event is one element of a watch stream: an event of the store, or an error. Members
// that do not apply are absent.
type Event struct {
	Type     string                 `json:"type" enum:"snapshot,synced,upserted,transitioned,deleted,bookmark,resync,error" doc:"The kind of event"`
	Revision int64                  `json:"revision" doc:"The revision of the change, or of the whole snapshot"`
	GameID   string                 `json:"game_id,omitempty" doc:"The game; absent on synced, bookmark and resync"`
	Before   *runtime.RuntimeRecord `json:"before,omitempty" doc:"The record before the change"`
	After    *runtime.RuntimeRecord `json:"after,omitempty" doc:"The record after the change"`
	Reason   ports.ResyncReason     `json:"reason,omitempty" enum:"compacted,other_store,future_revision" doc:"Of a resync: why the stream could not continue from its revision"`
	Last     bool                   `json:"last,omitempty" doc:"Whether a client that has processed this event can resume from its revision"`
	Regions  []Region               `json:"regions,omitempty" nullable:"false" doc:"Of synced and bookmark: each region, how current its records are, and which of its nodes are absent"`
	Error    *Problem               `json:"error,omitempty" doc:"Of an error: the problem"`
	Final    *bool                  `json:"final,omitempty" doc:"Of an error: whether it ends the stream"`
}

// EventFrom converts an event of the store. The records are shared with the event.
func EventFrom(e ports.RuntimeEvent) Event {
	return Event{
		Type: string(e.Type), Revision: e.Revision, GameID: e.GameID,
		Before: e.Before, After: e.After, Reason: e.Reason, Last: e.Last, Regions: RegionsFrom(e.Regions),
	}
}

// RuntimeEvent is the inverse of EventFrom. It drops Error and Final.
func (e Event) RuntimeEvent() ports.RuntimeEvent {
	return ports.RuntimeEvent{
		Type: ports.EventType(e.Type), Revision: e.Revision, GameID: e.GameID,
		Before: e.Before, After: e.After, Reason: e.Reason, Last: e.Last, Regions: RegionStates(e.Regions),
	}
}
