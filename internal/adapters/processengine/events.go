package processengine

import (
	"context"
	"iter"
	"sync"

	"galaxy/rtmanager/internal/broadcast"
	"galaxy/rtmanager/internal/domain/container"
)

// Events implements ports.Engine. A stream contains the events since it was opened. When it
// yields an exit, Inspect already returns the exited state.
func (e *Engine) Events(ctx context.Context) iter.Seq2[container.Event, error] {
	return func(yield func(container.Event, error) bool) {
		ctx, end, err := e.begin(ctx)
		if err != nil {
			yield(container.Event{}, err)
			return
		}
		defer end()
		s := e.events.subscribe()
		defer e.events.unsubscribe(s)
		for {
			changed := s.changed.Changed()
			for _, event := range s.pop() {
				if ctx.Err() != nil {
					break
				}
				if !yield(event, nil) {
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(container.Event{}, unavailable(ctx))
				return
			}
		}
	}
}

// eventBroadcaster sends each event to all streams without waiting for their consumers.
type eventBroadcaster struct {
	maxQueued int // per stream

	mu      sync.Mutex
	streams map[*eventStream]struct{} // guarded by mu
}

func newEventBroadcaster(maxQueued int) *eventBroadcaster {
	return &eventBroadcaster{maxQueued: maxQueued, streams: map[*eventStream]struct{}{}}
}

// eventStream is the event queue of one consumer.
type eventStream struct {
	changed broadcast.Signal

	mu        sync.Mutex
	queue     []container.Event // guarded by mu
	hasMissed bool              // guarded by mu; events before the queue were missed
}

// subscribe returns a new stream, which has missed all earlier events.
func (b *eventBroadcaster) subscribe() *eventStream {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &eventStream{hasMissed: true}
	b.streams[s] = struct{}{}
	return s
}

func (b *eventBroadcaster) unsubscribe(s *eventStream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.streams, s)
}

func (b *eventBroadcaster) publish(event container.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.streams {
		s.push(event, b.maxQueued)
	}
}

// push adds an event. It drops all queued events if the queue is full: the consumer must list
// all containers after missed events, so it needs none of them.
func (s *eventStream) push(event container.Event, maxQueued int) {
	s.mu.Lock()
	if len(s.queue) >= maxQueued {
		s.queue, s.hasMissed = nil, true
	}
	s.queue = append(s.queue, event)
	s.mu.Unlock()
	s.changed.Notify()
}

// pop returns and removes the queued events, after an event that reports missed events.
func (s *eventStream) pop() []container.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.queue
	if s.hasMissed {
		opened := container.Event{Type: container.EventStreamOpened, EventsMissed: true}
		events = append([]container.Event{opened}, events...)
	}
	s.queue, s.hasMissed = nil, false
	return events
}
