package fakeengine

import (
	"context"
	"iter"
	"sync"

	"galaxy/rtmanager/internal/broadcast"
	"galaxy/rtmanager/internal/domain/container"
)

// stream is the unbounded event queue of one consumer.
type stream struct {
	owner   Owner
	changed broadcast.Signal

	mu       sync.Mutex // guards all fields below
	events   []container.Event
	isClosed bool
}

func (s *stream) add(event container.Event) {
	s.mu.Lock()
	s.events = append(s.events, event)
	s.mu.Unlock()
	s.changed.Notify()
}

func (s *stream) close() {
	s.mu.Lock()
	s.isClosed = true
	s.mu.Unlock()
	s.changed.Notify()
}

// pop returns and removes the queued events.
func (s *stream) pop() (events []container.Event, isClosed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, s.events = s.events, nil
	return events, s.isClosed
}

// Events implements ports.Engine. Every stream reports that events may have been missed
// before it.
func (e *Engine) Events(ctx context.Context) iter.Seq2[container.Event, error] {
	return func(yield func(container.Event, error) bool) {
		s := &stream{owner: e.owner}
		if err := e.subscribe(ctx, s); err != nil {
			yield(container.Event{}, err)
			return
		}
		defer e.unsubscribe(s)
		if !yield(container.Event{Type: container.EventStreamOpened, EventsMissed: true}, nil) {
			return
		}
		for {
			changed := s.changed.Changed()
			events, closed := s.pop()
			for _, event := range events {
				if !yield(event, nil) {
					return
				}
			}
			if closed {
				yield(container.Event{}, container.ErrEngineUnavailable)
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(container.Event{}, unavailable(ctx.Err()))
				return
			}
		}
	}
}

func (e *Engine) subscribe(ctx context.Context, s *stream) error {
	return e.withLock(ctx, func() error {
		e.machine.streams[s] = struct{}{}
		return nil
	})
}

func (e *Engine) unsubscribe(s *stream) {
	e.machine.mu.Lock()
	defer e.machine.mu.Unlock()
	delete(e.machine.streams, s)
}
