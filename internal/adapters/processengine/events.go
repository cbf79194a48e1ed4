package processengine

import (
	"context"
	"iter"
	"sync"

	"galaxy/rtmanager/internal/domain/container"
)

// Events tells of what this engine did and saw since the stream was opened. An
// exit is told once Inspect says so.
func (e *Engine) Events(ctx context.Context) iter.Seq2[container.Event, error] {
	return func(yield func(container.Event, error) bool) {
		ctx, done, err := e.begin(ctx)
		if err != nil {
			yield(container.Event{}, err)
			return
		}
		defer done()
		s := e.hub.open()
		defer e.hub.close(s)
		for {
			for _, event := range s.take() {
				if ctx.Err() != nil {
					break
				}
				if !yield(event, nil) {
					return
				}
			}
			select {
			case <-s.news:
			case <-ctx.Done():
				yield(container.Event{}, unavailable(ctx))
				return
			}
		}
	}
}

// hub hands each event to all streams, and waits for none of them.
type hub struct {
	limit int

	mu      sync.Mutex
	streams map[*stream]struct{} // guarded by mu
}

func newHub(limit int) *hub { return &hub{limit: limit, streams: map[*stream]struct{}{}} }

// stream is one consumer's events.
type stream struct {
	news chan struct{} // holds a token while there is something to take

	mu     sync.Mutex
	queue  []container.Event // guarded by mu
	missed bool              // guarded by mu: something came before the queue that is not told
}

// open returns a stream that has missed all that was before.
func (h *hub) open() *stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &stream{news: make(chan struct{}, 1), missed: true}
	h.streams[s] = struct{}{}
	return s
}

func (h *hub) close(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, s)
}

func (h *hub) publish(event container.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.streams {
		s.put(event, h.limit)
	}
}

// put drops the whole queue where it is full: who has to look at everything needs
// none of it.
func (s *stream) put(event container.Event, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) >= limit {
		s.queue, s.missed = nil, true
	}
	s.queue = append(s.queue, event)
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// take returns what has come, behind a word about what is missing.
func (s *stream) take() []container.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.queue
	if s.missed {
		opened := container.Event{Type: container.EventStreamOpened, EventsMissed: true}
		events = append([]container.Event{opened}, events...)
	}
	s.queue, s.missed = nil, false
	return events
}
