package fakeengine

import (
	"context"
	"iter"
	"sync"

	"galaxy/rtmanager/internal/domain/container"
)

// stream is one consumer's events. It holds as many as come.
type stream struct {
	owner Owner

	mu     sync.Mutex // guards all below
	events []container.Event
	ended  bool
	more   chan struct{} // has one element while there is something to look at
}

func (s *stream) put(event container.Event) {
	s.mu.Lock()
	s.events = append(s.events, event)
	s.mu.Unlock()
	s.wake()
}

func (s *stream) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.wake()
}

func (s *stream) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *stream) take() (events []container.Event, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, s.events = s.events, nil
	return events, s.ended
}

// Events implements ports.Engine. What was missed is never known.
func (e *Engine) Events(ctx context.Context) iter.Seq2[container.Event, error] {
	return func(yield func(container.Event, error) bool) {
		s := &stream{owner: e.owner, more: make(chan struct{}, 1)}
		if err := e.subscribe(ctx, s); err != nil {
			yield(container.Event{}, err)
			return
		}
		defer e.unsubscribe(s)
		if !yield(container.Event{Type: container.EventStreamOpened, EventsMissed: true}, nil) {
			return
		}
		for {
			select {
			case <-s.more:
			case <-ctx.Done():
				yield(container.Event{}, unavailable(ctx.Err()))
				return
			}
			events, ended := s.take()
			for _, event := range events {
				if !yield(event, nil) {
					return
				}
			}
			if ended {
				yield(container.Event{}, container.ErrEngineUnavailable)
				return
			}
		}
	}
}

func (e *Engine) subscribe(ctx context.Context, s *stream) error {
	return e.do(ctx, func() error {
		e.machine.streams[s] = struct{}{}
		return nil
	})
}

func (e *Engine) unsubscribe(s *stream) {
	e.machine.mu.Lock()
	defer e.machine.mu.Unlock()
	delete(e.machine.streams, s)
}
