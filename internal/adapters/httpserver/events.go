package httpserver

import (
	"context"
	"net/http"
	"slices"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/stream"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/gameevent"
	"galaxy/rtmanager/internal/labelselector"
	"galaxy/rtmanager/internal/ports"
)

// eventsRoute returns the route of events.
func eventsRoute(heartbeat ResponseHeader) Route {
	return withoutDeadline(withHandler(Route{
		Method: http.MethodGet, Path: "/v1/events", ID: "watch-events", Tag: "watch",
		Summary: "Watch what happens to games: operations, statuses, health, nodes", Description: eventsDescription,
		Responses: []Response{withStreams[api.GameEvent](Response{Status: http.StatusOK, Description: "The stream", Headers: []ResponseHeader{heartbeat}})},
		Codes:     codes(storeCodes(), []api.Code{api.CodeNotAcceptable, api.CodeCompacted, api.CodeForeignRevision, api.CodeTooManyStreams}),
		isStream:  true,
	}, (*Server).watchEvents))
}

const eventsDescription = "Events are derived from the changes of records, in order. A stream starts with a bookmark of the current revision, or after from_revision or " +
	"Last-Event-ID, and resumes by the rules of /v1/watch: several events can have one revision, and only the last one has last and an id. Bookmarks advance the position " +
	"while no event is sent. If the revision is compacted, the stream ends with compacted; with resync=true it continues after an element of type resync, and the events in between are missing.\n\n" +
	"Actors, reasons and results are read from the ledger and from outcomes, and are absent if those have been dropped. An operation that ends within 100 ms has neither " +
	"operation_started nor operation_finished: its status_changed has its operation_id. What is in no record, such as an orphan that a node finds, is no event; see /v1/drift."

type eventsInput struct {
	FromRevision int64    `query:"from_revision" minimum:"0" doc:"The last revision that the client has processed; 0 or absent starts at the current revision"`
	Types        []string `query:"type" enum:"created,node_lost,node_returned,operation_started,moved,image_changed,status_changed,crash_restarted,crash_loop,crash_loop_ended,health_changed,ready_changed,labels_changed,metadata_changed,operation_finished,deleted" doc:"Only events of this type; repeated for several"`
	Regions      []string `query:"region" doc:"Only games of this region; repeated for several"`
	Nodes        []string `query:"node" doc:"Only games of this node; repeated for several"`
	Images       []string `query:"image" doc:"Only games with this image reference, or with a prefix of it followed by *; repeated for several"`
	GameID       string   `query:"game_id" doc:"Only this game"`
	GamePrefix   string   `query:"game_id_prefix" doc:"Only games whose ids start with this text"`
	Selector     string   `query:"label_selector" doc:"Only games whose labels match this selector, in the grammar of Kubernetes, such as env=prod,mode!=ranked"`
	Resync       bool     `query:"resync" doc:"Continue with an element of type resync if the revision is compacted or in the future, or belongs to another store; without it these end the stream"`
	Store        string   `query:"store" doc:"The store that from_revision belongs to; the server of another store rejects the stream, or with resync=true starts it over"`
	LastEventID  string   `header:"Last-Event-ID" doc:"The id of the last event that the client has processed, or its revision; takes precedence over from_revision. A browser sends it when it reconnects"`
	Accept       string   `header:"Accept" list:"true" hidden:"true"`
}

// watchEvents handles GET /v1/events.
func (s *Server) watchEvents(w http.ResponseWriter, r *http.Request, in *eventsInput) error {
	options := ports.WatchOptions{
		FromRevision: in.FromRevision, Store: in.Store, Resync: in.Resync, GameID: in.GameID,
		RecordFilter: ports.RecordFilter{Regions: in.Regions, Nodes: in.Nodes, Images: in.Images, GamePrefix: in.GamePrefix},
	}
	if in.Selector != "" {
		var err error
		if options.Labels, err = labelselector.Parse("label_selector", in.Selector); err != nil {
			return err
		}
	}
	if err := options.Validate(); err != nil {
		return err
	}
	derive := func(ws *watchStream) { ws.games = &gameEvents{types: in.Types} }
	return s.serveWatch(w, r, watchRequest{options: options, lastEventID: in.LastEventID, accept: in.Accept, startsNow: true}, derive)
}

// gameEvents is the state of a stream of events of games.
type gameEvents struct {
	types []string // that the client requests; none means all
	// hasOpenRevision reports that the client has received events of a revision, and no position after it.
	hasOpenRevision bool
}

// writeGameEvents writes the events that an event of the store means. The position of the client advances with the last
// one of a revision; without one, a bookmark advances it. It reports whether anything was written.
func (ws *watchStream) writeGameEvents(ctx context.Context, event ports.RuntimeEvent) (hasWritten bool) {
	g := ws.games
	switch event.Type {
	case ports.EventSnapshot:
		return false // of a resync; a record is no event
	case ports.EventResync:
		ws.position = 0
		ws.writeGameEvent(api.GameEvent{Type: api.TypeResync, Revision: event.Revision, Reason: string(event.Reason)})
		return true
	case ports.EventSynced, ports.EventBookmark:
		g.hasOpenRevision = g.hasOpenRevision || event.Type == ports.EventSynced || ws.position == 0
	case ports.EventUpserted, ports.EventTransitioned, ports.EventDeleted:
		derived := slices.DeleteFunc(gameevent.Derive(event.Before, event.After), func(e gameevent.Event) bool {
			return len(g.types) > 0 && !slices.Contains(g.types, string(e.Type))
		})
		ws.server.eventDetails.Complete(ctx, event.Revision, derived)
		for i, e := range derived {
			element := api.GameEventFrom(e, event.Revision)
			element.Last = event.Last && i == len(derived)-1
			ws.writeGameEvent(element)
			g.hasOpenRevision, hasWritten = !element.Last, true
		}
	}
	if event.Last {
		ws.position = event.Revision
		if g.hasOpenRevision {
			g.hasOpenRevision = false
			ws.writeGameEvent(ws.gameBookmark())
			hasWritten = true
		}
	}
	return hasWritten
}

// startNow makes the watch start at the current revision. The stream starts with a bookmark.
func (ws *watchStream) startNow(ctx context.Context, options *ports.WatchOptions) error {
	bound, cancel := context.WithTimeout(ctx, ws.server.cfg.RequestTimeout)
	defer cancel()
	info, err := ws.server.store.Info(bound)
	if err != nil {
		return err
	}
	options.FromRevision, ws.position = info.Revision, info.Revision
	ws.writeGameEvent(ws.gameBookmark())
	ws.out.Flush()
	return nil
}

// gameBookmark returns the bookmark of the current position.
func (ws *watchStream) gameBookmark() api.GameEvent {
	return api.GameEvent{Type: api.TypeBookmark, Revision: ws.position, Last: ws.position > 0}
}

func (ws *watchStream) writeGameEvent(element api.GameEvent) {
	frame := stream.Frame{Type: element.Type}
	if element.Last {
		frame.ID = cursor{ws.storeID, element.Revision}.String()
		ws.sentPosition = element.Revision
	}
	ws.out.Write(frame, api.Encode(element))
	ws.server.metrics.events.WithLabelValues(element.Type).Inc()
}
