package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/stream"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// corruptFrame is the type of the server-sent event that reports a value that cannot be
// read. An EventSource takes an event of type error for the loss of its connection, and
// this stream continues.
const corruptFrame = "corrupt"

// watchBuffer is how many events may wait for the network before the store's watch blocks.
const watchBuffer = 64

type watchInput struct {
	FromRevision int64 `query:"from_revision" minimum:"0" doc:"The last revision that the client has processed; 0 or absent starts with a snapshot"`
	filterInput
	GameID      string `query:"game_id" doc:"Only this game"`
	Resync      bool   `query:"resync" doc:"Restart with a snapshot, after an event of type resync, if the revision is compacted or in the future, or belongs to another store; without it these end the stream"`
	Store       string `query:"store" doc:"The store that from_revision belongs to; the server of another store rejects the watch, or with resync=true starts it over"`
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event that the client has processed, or its revision; takes precedence over from_revision. A browser sends it when it reconnects"`
	Accept      string `header:"Accept" list:"true" hidden:"true"`
}

func (in *watchInput) options() (ports.WatchOptions, error) {
	filter, err := in.filter()
	if err != nil {
		return ports.WatchOptions{}, err
	}
	options := ports.WatchOptions{
		FromRevision: in.FromRevision, Store: in.Store, Resync: in.Resync, RecordFilter: filter, GameID: in.GameID,
	}
	return options, options.Validate()
}

// restrict hides the records of an event that the caller may not see. A game that leaves what the
// caller may see is deleted for the caller.
func restrict(event ports.RuntimeEvent, visible *access.Visibility) ports.RuntimeEvent {
	if event.Before != nil && !visible.ContainsLabeled(event.Before.Region, event.Before.GameID, event.Before.Labels) {
		event.Before = nil
	}
	if event.After != nil && !visible.ContainsLabeled(event.After.Region, event.After.GameID, event.After.Labels) {
		event.After, event.Type = nil, ports.EventDeleted
	}
	return event
}

// resumeAt applies Last-Event-ID to the options. The store starts a client of another store
// over if that accepts a resync. Otherwise such a client gets a problem with the status 410,
// at which a browser does not reconnect.
func resumeAt(lastEventID string, options *ports.WatchOptions, storeID string) error {
	if lastEventID == "" {
		return nil
	}
	position, isValid := parseCursor(lastEventID)
	switch {
	case !isValid:
		return problem.BadRequest("header.Last-Event-ID", "%q is not the id of an event; send an id as this stream sent it, or a revision", request.Clip(lastEventID))
	case !position.isForeign(storeID):
		options.FromRevision = position.revision
		return nil
	case options.Resync:
		options.FromRevision, options.Store = position.revision, position.storeID
		return nil
	}
	p := problem.New(api.CodeForeignRevision, fmt.Sprintf("the event %s is of another store than %s; watch without Last-Event-ID, or with resync=true", request.Clip(lastEventID), storeID))
	p.Status = http.StatusGone
	return p
}

// watchRuntimes handles GET /v1/watch. It serves one stream until the client disconnects,
// the store ends the watch, or the server shuts down.
func (s *Server) watchRuntimes(w http.ResponseWriter, r *http.Request, in *watchInput) error {
	options, err := in.options()
	if err != nil {
		return err
	}
	return s.serveWatch(w, r, watchRequest{options: options, lastEventID: in.LastEventID, accept: in.Accept}, func(ws *watchStream) { ws.regions = in.Regions })
}

// watchRequest is the request of a stream of changes, or of events.
type watchRequest struct {
	options             ports.WatchOptions
	lastEventID, accept string
	// startsNow starts a stream without a revision at the current revision, instead of a snapshot.
	startsNow bool
}

// serveWatch serves one stream, which tune configures, until the client disconnects, the store ends the watch, or the
// server shuts down.
func (s *Server) serveWatch(w http.ResponseWriter, r *http.Request, in watchRequest, tune func(*watchStream)) error {
	options, storeID := in.options, s.store.ID()
	if err := resumeAt(in.lastEventID, &options, storeID); err != nil {
		return err
	}
	format, isAcceptable := stream.Choose(in.accept)
	if !isAcceptable {
		return problem.New(api.CodeNotAcceptable, "a watch responds with "+api.EventStreamMediaType+" or "+api.NDJSONMediaType+"; Accept must allow one of them")
	}
	ws := &watchStream{server: s, out: s.newStream(w, format), storeID: storeID, position: options.FromRevision, revocation: callers.NewRevocation(r.Context(), s.cfg.Access), requestID: audit.RequestIDOf(r.Context())}
	options.Visible = ws.revocation.Caller().Visible()
	ws.visible = options.Visible
	tune(ws)
	switch {
	case r.Method == http.MethodHead:
		ws.out.Open()
		return nil
	case s.isShuttingDown():
		return problem.ErrShuttingDown
	}
	release, isAcquired := s.streams.acquire(ws.revocation.Caller().Identity)
	if !isAcquired {
		return problem.New(api.CodeTooManyStreams, "this server has reached its limit of open watch streams, or this caller half of it")
	}
	defer release()
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()

	ctx, cancel := context.WithCancel(r.Context())
	if in.startsNow && options.FromRevision == 0 {
		if err := ws.startNow(ctx, &options); err != nil {
			cancel()
			return err
		}
	}
	items := s.startWatch(ctx, options)
	defer func() {
		cancel()
		for range items { // until the watch has ended
		}
	}()
	return ws.writeItems(ctx, items)
}

func (s *Server) newStream(w http.ResponseWriter, format stream.Format) *stream.Writer {
	return stream.NewWriter(w, format, stream.Config{WriteTimeout: s.cfg.WriteTimeout, Heartbeat: s.cfg.Heartbeat})
}

// watchItem is one event or error of a watch.
type watchItem struct {
	event ports.RuntimeEvent
	err   error
}

// isFinal reports whether the item ends the watch.
func (i watchItem) isFinal() bool { return i.err != nil && !errors.Is(i.err, runtime.ErrCorrupt) }

// startWatch runs the store's watch on a goroutine of its own, so that heartbeats are
// written while no event arrives. The channel is closed when the watch has ended. A watch
// that panics ends its own stream only.
func (s *Server) startWatch(ctx context.Context, options ports.WatchOptions) <-chan watchItem {
	items := make(chan watchItem, watchBuffer)
	go func() {
		defer close(items)
		defer func() {
			if panicked := recover(); panicked != nil {
				err := fmt.Errorf("watch panicked: %v\n%s", panicked, debug.Stack())
				select {
				case items <- watchItem{err: err}:
				case <-ctx.Done():
				}
			}
		}()
		for event, err := range s.store.Watch(ctx, options) {
			select {
			case items <- watchItem{event, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return items
}

// watchStream writes the items of one watch.
type watchStream struct {
	server  *Server
	out     *stream.Writer
	storeID string
	// position is the latest revision that the client can resume from, 0 for none.
	position int64
	// games is the state of a stream of events of games, nil for one of changes. sentPosition is the latest
	// position that it has sent.
	games        *gameEvents
	sentPosition int64
	// visible are the games that the caller may see.
	visible *access.Visibility
	// regions are the regions of the watch; none means all.
	regions    []string
	revocation *callers.Revocation
	requestID  string
}

// writeItems writes the items until the watch ends or the client disconnects. It returns
// the error of a watch that ended before the response started.
func (ws *watchStream) writeItems(ctx context.Context, items <-chan watchItem) error {
	open := time.NewTimer(ws.server.cfg.OpenDelay)
	defer open.Stop()
	heartbeat := time.NewTicker(ws.server.cfg.Heartbeat)
	defer heartbeat.Stop()
	ticks, stopTicks := ws.revocation.Ticks()
	defer stopTicks()
	for {
		select {
		case item, ok := <-items:
			if ctx.Err() != nil {
				return nil
			}
			if !ok {
				item = watchItem{err: runtime.ErrUnavailable}
			}
			if item.isFinal() {
				return ws.end(item.err)
			}
			if ws.write(ctx, item) {
				heartbeat.Reset(ws.server.cfg.Heartbeat)
			}
			if len(items) == 0 {
				ws.out.Flush()
			}
		case <-open.C:
			ws.out.Open()
			ws.out.Flush()
		case <-heartbeat.C:
			ws.writeHeartbeat()
		case <-ws.revocation.Changed():
			if err := ws.revocation.Check(); err != nil {
				return ws.end(err)
			}
		case <-ticks:
			if err := ws.revocation.Check(); err != nil {
				return ws.end(err)
			}
		case <-ws.server.closing:
			return ws.end(problem.ErrShuttingDown)
		case <-ctx.Done():
			return nil
		}
		if ws.out.Err() != nil {
			return nil
		}
	}
}

// write writes an item. It reports false if a stream of events has not written anything.
func (ws *watchStream) write(ctx context.Context, item watchItem) bool {
	if item.err != nil {
		ws.writeProblem(item.event, problem.From(item.err, nil), false)
		return true
	}
	event := item.event
	if ws.visible != nil {
		event = restrict(event, ws.visible)
	}
	if ws.games != nil {
		return ws.writeGameEvents(ctx, event)
	}
	frame := stream.Frame{Type: string(event.Type)}
	switch {
	case event.Last:
		frame.ID, ws.position = cursor{ws.storeID, event.Revision}.String(), event.Revision
	case event.Type == ports.EventResync:
		ws.position = 0 // the client cannot resume from an earlier revision any more
	}
	ws.out.Write(frame, ws.encode(event))
	ws.server.metrics.events.WithLabelValues(string(event.Type)).Inc()
	return true
}

// writeHeartbeat writes a heartbeat: a comment, or in a format without comments a bookmark. A stream of events
// that was sent no position for longer than that writes a bookmark in any format.
func (ws *watchStream) writeHeartbeat() {
	switch {
	case ws.games == nil:
		ws.out.Heartbeat(ws.bookmark())
	case ws.sentPosition < ws.position:
		ws.writeGameEvent(ws.gameBookmark())
		ws.out.Flush()
	default:
		ws.out.Heartbeat(api.Encode(ws.gameBookmark()))
	}
}

// encode returns the JSON of an event. Events without a record have the regions.
func (ws *watchStream) encode(event ports.RuntimeEvent) []byte {
	if event.Type == ports.EventBookmark || event.Type == ports.EventSynced {
		event.Regions = ws.server.regionsAt(ws.revocation.Caller(), ws.regions, event.Revision, true)
	}
	return ws.server.events.Encode(event)
}

// bookmark returns the heartbeat of a format without comments: the bookmark of the current
// position, which every client can parse.
func (ws *watchStream) bookmark() []byte {
	return ws.encode(ports.RuntimeEvent{Type: ports.EventBookmark, Revision: ws.position, Last: ws.position > 0})
}

// writeProblem writes an error event. about has the game and the revision of the error.
func (ws *watchStream) writeProblem(about ports.RuntimeEvent, p *api.Problem, isFinal bool) {
	p.RequestID = ws.requestID
	event := api.Event{Type: api.TypeError, Revision: about.Revision, GameID: about.GameID, Error: p, Final: &isFinal}
	frame := stream.Frame{Type: corruptFrame}
	if isFinal {
		frame.Type = api.TypeError
	}
	ws.out.Write(frame, api.Encode(event))
}

// end reports why the stream ends: as an error to respond with if the response has not
// started, and as the last element otherwise.
func (ws *watchStream) end(err error) error {
	p := problem.From(err, nil)
	if p.Status >= http.StatusInternalServerError && !ws.server.isShuttingDown() {
		ws.server.cfg.Logger.Warn("watch stream ended", "code", p.Code, "error", err)
	}
	if !ws.out.IsOpen() {
		return p
	}
	ws.writeProblem(ports.RuntimeEvent{}, p, true)
	ws.out.Flush()
	return nil
}
