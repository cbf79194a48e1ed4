package httpserver

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// firstWait is how long a stream may delay its 200 for the store to refuse the
// watch with a proper status; a watch that is idle by then has been accepted.
const firstWait = 250 * time.Millisecond

// feedSize is how many events may wait for the network before the store's
// watch is made to wait too.
const feedSize = 64

type watchInput struct {
	FromRevision int64  `query:"from_revision" minimum:"0" doc:"The last revision that the caller has processed; 0 or absent asks for a snapshot first"`
	Status       string `query:"status" enum:"running,stopped,removed" doc:"Only games that have or had this status"`
	Region       string `query:"region" doc:"Only games of this region"`
	Node         string `query:"node" doc:"Only games of this node"`
	GameID       string `query:"game_id" doc:"Only this game"`
	Resync       bool   `query:"resync" doc:"Start over with a snapshot, after an event of type resync, where the stream would end because its revision is gone"`
	Store        string `query:"store" doc:"The store that from_revision is of; another one refuses it"`
	LastEventID  string `header:"Last-Event-ID" doc:"Wins over from_revision; what a browser sends when it reconnects"`
	Accept       string `header:"Accept" hidden:"true"`
}

func (in *watchInput) options() (ports.WatchOptions, *api.Problem) {
	options := ports.WatchOptions{
		FromRevision: in.FromRevision, Store: in.Store, Resync: in.Resync,
		Status: runtime.Status(in.Status), Region: in.Region, Node: in.Node, GameID: in.GameID,
	}
	if in.LastEventID != "" {
		revision, err := strconv.ParseInt(in.LastEventID, 10, 64)
		if err != nil || revision < 0 {
			return options, badRequest("header.Last-Event-ID", "%q is not a revision", clip(in.LastEventID))
		}
		options.FromRevision = revision
	}
	if err := options.Validate(); err != nil {
		return options, problemOf(err, inQuery)
	}
	return options, nil
}

func (s *Server) watch(_ context.Context, in *watchInput) (*huma.StreamResponse, error) {
	options, problem := in.options()
	if problem != nil {
		return nil, problem
	}
	form, problem := chooseForm(in.Accept)
	if problem != nil {
		return nil, problem
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		s.stream(w, r, options, form)
	}}, nil
}

// chooseForm takes the first form that the Accept header names and does not
// rule out by a weight of 0.
func chooseForm(accept string) (form, *api.Problem) {
	if strings.TrimSpace(accept) == "" {
		return sseForm{}, nil
	}
	for entry := range strings.SplitSeq(accept, ",") {
		media, params, _ := mime.ParseMediaType(entry)
		if weight, err := strconv.ParseFloat(params["q"], 64); err == nil && weight == 0 {
			continue
		}
		switch media {
		case api.NDJSONMediaType:
			return ndjsonForm{}, nil
		case api.EventStreamMediaType, "text/*", "*/*":
			return sseForm{}, nil
		}
	}
	return nil, newProblem(http.StatusNotAcceptable, api.CodeNotAcceptable, "Not acceptable",
		"a watch is offered as "+api.EventStreamMediaType+" and as "+api.NDJSONMediaType)
}

// stream serves one watch until the client goes, the store ends it, or the
// server shuts down. Everything it started has ended when it returns.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, options ports.WatchOptions, form form) {
	out := newEventWriter(w, form, s.cfg.WriteTimeout, s.cfg.Heartbeat)
	if r.Method == http.MethodHead {
		out.open()
		return
	}
	if s.shuttingDown() {
		writeProblem(w, shutdownProblem())
		return
	}
	if !s.streams.acquire() {
		writeProblem(w, newProblem(http.StatusTooManyRequests, api.CodeTooManyStreams, "Too many streams",
			"this server has as many watch streams open as it allows"))
		return
	}
	defer s.streams.release()
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()

	ctx, cancel := context.WithCancel(r.Context())
	feed := s.feed(ctx, options)
	defer func() {
		cancel()
		for range feed { // until the watch has ended
		}
	}()
	s.relay(ctx, w, out, feed, options.FromRevision)
}

// item is one step of a watch.
type item struct {
	event ports.RuntimeEvent
	err   error
}

// final reports an error after which nothing comes.
func (i item) final() bool { return i.err != nil && !errors.Is(i.err, runtime.ErrCorrupt) }

// feed runs the store's watch on a goroutine of its own, so that heartbeats flow
// while it is silent. The channel is closed when the watch has ended. A watch
// that panics ends its own stream only, as any handler does.
func (s *Server) feed(ctx context.Context, options ports.WatchOptions) <-chan item {
	feed := make(chan item, feedSize)
	go func() {
		defer close(feed)
		defer func() {
			if panicked := recover(); panicked != nil {
				err := fmt.Errorf("watch panicked: %v\n%s", panicked, debug.Stack())
				select {
				case feed <- item{err: err}:
				case <-ctx.Done():
				}
			}
		}()
		for event, err := range s.store.Watch(ctx, options) {
			select {
			case feed <- item{event, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return feed
}

// relay writes what the feed brings. The 200 waits a moment, so that a watch
// which the store refuses gets the status that says so.
func (s *Server) relay(ctx context.Context, w http.ResponseWriter, out *eventWriter, feed <-chan item, position int64) {
	opening := time.NewTimer(firstWait)
	defer opening.Stop()
	heartbeat := time.NewTicker(s.cfg.Heartbeat)
	defer heartbeat.Stop()
	out.position = position
	for {
		select {
		case step, ok := <-feed:
			if ctx.Err() != nil {
				return
			}
			if !ok {
				step = item{err: runtime.ErrUnavailable}
			}
			if step.final() {
				s.endStream(w, out, step.err)
				return
			}
			s.write(out, step)
			if len(feed) == 0 {
				out.flush()
			}
			heartbeat.Reset(s.cfg.Heartbeat)
		case <-opening.C:
			out.open()
			out.flush()
		case <-heartbeat.C:
			out.heartbeat()
		case <-s.closing:
			s.endStream(w, out, shutdownProblem())
			return
		case <-ctx.Done():
			return
		}
		if out.err != nil {
			return
		}
	}
}

func (s *Server) write(out *eventWriter, step item) {
	if step.err != nil {
		out.problem(step.event, problemOf(step.err, inQuery), false)
		return
	}
	out.event(step.event, s.encodings.encode(step.event))
	s.metrics.events.WithLabelValues(string(step.event.Type)).Inc()
}

// endStream tells the client why its stream ends: by status if it has not
// begun, and else by the last thing on it.
func (s *Server) endStream(w http.ResponseWriter, out *eventWriter, err error) {
	p := problemOf(err, inQuery)
	if p.Status >= http.StatusInternalServerError && !s.shuttingDown() {
		s.cfg.Logger.Warn("watch stream ended", "code", p.Code, "error", err)
	}
	if !out.opened {
		writeProblem(w, p)
		return
	}
	out.problem(ports.RuntimeEvent{}, p, true)
	out.flush()
}

func shutdownProblem() *api.Problem {
	return newProblem(http.StatusServiceUnavailable, api.CodeUnavailable, "Store is unavailable", "the server is shutting down; resume elsewhere or in a moment")
}

// streamSlots counts open streams against their cap.
type streamSlots struct {
	max  int64
	open atomic.Int64
}

func (s *streamSlots) acquire() bool {
	if s.open.Add(1) > s.max {
		s.open.Add(-1)
		return false
	}
	return true
}

func (s *streamSlots) release() { s.open.Add(-1) }
