package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/stream"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// openDelay is how long a stream delays its status 200, so that a watch that the store
// rejects gets an error status. After this time the watch counts as accepted.
const openDelay = 250 * time.Millisecond

// watchBuffer is how many events may wait for the network before the store's watch blocks.
const watchBuffer = 64

type watchInput struct {
	FromRevision int64          `query:"from_revision" minimum:"0" doc:"The last revision that the client has processed; 0 or absent starts with a snapshot"`
	Status       runtime.Status `query:"status" doc:"Only games that have or had this status"`
	Region       string         `query:"region" doc:"Only games of this region"`
	Node         string         `query:"node" doc:"Only games of this node"`
	GameID       string         `query:"game_id" doc:"Only this game"`
	Resync       bool           `query:"resync" doc:"Restart with a snapshot, after an event of type resync, if the stream would otherwise end because its revision is compacted"`
	Store        string         `query:"store" doc:"The store that from_revision belongs to; the server of another store rejects the watch"`
	LastEventID  string         `header:"Last-Event-ID" doc:"Takes precedence over from_revision; a browser sends it when it reconnects"`
	Accept       string         `header:"Accept" list:"true" hidden:"true"`
}

func (in *watchInput) options() (ports.WatchOptions, error) {
	options := ports.WatchOptions{
		FromRevision: in.FromRevision, Store: in.Store, Resync: in.Resync,
		Status: in.Status, Region: in.Region, Node: in.Node, GameID: in.GameID,
	}
	if in.LastEventID != "" {
		revision, err := strconv.ParseInt(in.LastEventID, 10, 64)
		if err != nil || revision < 0 {
			return options, problem.BadRequest("header.Last-Event-ID", "%q is not a revision", request.Clip(in.LastEventID))
		}
		options.FromRevision = revision
	}
	return options, options.Validate()
}

// watchRuntimes handles GET /v1/watch. It serves one stream until the client disconnects,
// the store ends the watch, or the server shuts down.
func (s *Server) watchRuntimes(w http.ResponseWriter, r *http.Request, in *watchInput) error {
	options, err := in.options()
	if err != nil {
		return err
	}
	format, isAcceptable := stream.Choose(in.Accept)
	if !isAcceptable {
		return problem.New(api.CodeNotAcceptable, "a watch responds with "+api.EventStreamMediaType+" or "+api.NDJSONMediaType+"; Accept must allow one of them")
	}
	ws := &watchStream{server: s, out: s.newStream(w, format), position: options.FromRevision}
	switch {
	case r.Method == http.MethodHead:
		ws.out.Open()
		return nil
	case s.isShuttingDown():
		return problem.ErrShuttingDown
	case !s.streams.acquire():
		return problem.New(api.CodeTooManyStreams, "this server has reached its limit of open watch streams")
	}
	defer s.streams.release()
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()

	ctx, cancel := context.WithCancel(r.Context())
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
	server *Server
	out    *stream.Writer
	// position is the latest revision that the client can resume from, 0 for none.
	position int64
}

// writeItems writes the items until the watch ends or the client disconnects. It returns
// the error of a watch that ended before the response started.
func (ws *watchStream) writeItems(ctx context.Context, items <-chan watchItem) error {
	open := time.NewTimer(openDelay)
	defer open.Stop()
	heartbeat := time.NewTicker(ws.server.cfg.Heartbeat)
	defer heartbeat.Stop()
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
			ws.write(item)
			if len(items) == 0 {
				ws.out.Flush()
			}
			heartbeat.Reset(ws.server.cfg.Heartbeat)
		case <-open.C:
			ws.out.Open()
			ws.out.Flush()
		case <-heartbeat.C:
			ws.out.Heartbeat(ws.bookmark())
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

func (ws *watchStream) write(item watchItem) {
	if item.err != nil {
		ws.writeProblem(item.event, problem.From(item.err, nil), false)
		return
	}
	event := item.event
	frame := stream.Frame{Type: string(event.Type)}
	switch {
	case event.Last:
		frame.ID, ws.position = strconv.FormatInt(event.Revision, 10), event.Revision
	case event.Type == ports.EventResync:
		ws.position = 0 // the client cannot resume from an earlier revision any more
	}
	ws.out.Write(frame, ws.server.events.Encode(event))
	ws.server.metrics.events.WithLabelValues(string(event.Type)).Inc()
}

// bookmark returns the heartbeat of a format without comments: the bookmark of the current
// position, which every client can parse.
func (ws *watchStream) bookmark() []byte {
	return fmt.Appendf(nil, `{"type":%q,"revision":%d,"last":%t}`+"\n", ports.EventBookmark, ws.position, ws.position > 0)
}

// writeProblem writes an error event. about has the game and the revision of the error.
func (ws *watchStream) writeProblem(about ports.RuntimeEvent, p *api.Problem, isFinal bool) {
	event := api.Event{Type: api.TypeError, Revision: about.Revision, GameID: about.GameID, Error: p, Final: &isFinal}
	ws.out.Write(stream.Frame{Type: event.Type}, api.Encode(event))
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
