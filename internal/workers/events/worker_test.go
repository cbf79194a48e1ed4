package events_test

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/workers/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// engine hands out one stream after the other, each until it is closed.
type engine struct {
	ports.ContainerReader
	streams chan chan container.Event

	mu     sync.Mutex
	opened []time.Time
}

func (e *engine) Events(ctx context.Context) iter.Seq2[container.Event, error] {
	return func(yield func(container.Event, error) bool) {
		e.mu.Lock()
		e.opened = append(e.opened, time.Now())
		e.mu.Unlock()
		var stream chan container.Event
		select {
		case stream = <-e.streams:
		case <-ctx.Done():
			yield(container.Event{}, ctx.Err())
			return
		}
		for {
			select {
			case event, more := <-stream:
				if !more {
					yield(container.Event{}, container.ErrEngineUnavailable)
					return
				}
				if !yield(event, nil) {
					return
				}
			case <-ctx.Done():
				yield(container.Event{}, ctx.Err())
				return
			}
		}
	}
}

// stream gives the worker a stream, which it has asked for, or will.
func (e *engine) stream(t *testing.T) chan container.Event {
	t.Helper()
	stream := make(chan container.Event)
	send(t, e.streams, stream)
	return stream
}

func (e *engine) tries() []time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]time.Time(nil), e.opened...)
}

func send[T any](t *testing.T, to chan<- T, value T) {
	t.Helper()
	select {
	case to <- value:
	case <-time.After(patience):
		require.Fail(t, "nobody takes it")
	}
}

// everything is what a noticer hears for a look at everything.
const everything = "*"

// noticer passes on what it is told.
type noticer chan string

func (n noticer) Enqueue(gameID string)                     { n <- gameID }
func (n noticer) EnqueueRemoved(gameID, containerID string) { n <- gameID + " without " + containerID }
func (n noticer) TriggerFullReconcile()                     { n <- everything }

func (n noticer) require(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-n:
		require.Equal(t, want, got)
	case <-time.After(patience):
		require.Fail(t, "nothing is noticed", want)
	}
}

// listen runs a worker until the test ends.
func listen(t *testing.T) (*engine, noticer) {
	t.Helper()
	e, n := &engine{streams: make(chan chan container.Event)}, make(noticer, 100)
	w := events.New(e, n, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	over := make(chan error, 1)
	go func() { over <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-over)
	})
	return e, n
}

func opened(eventsMissed bool) container.Event {
	return container.Event{Type: container.EventStreamOpened, EventsMissed: eventsMissed}
}

func TestEventsBecomeLooks(t *testing.T) {
	t.Parallel()
	e, n := listen(t)
	stream := e.stream(t)
	send(t, stream, opened(false))
	for _, kind := range []container.EventType{container.EventStarted, container.EventExited} {
		send(t, stream, container.Event{Type: kind, GameID: "g-" + string(kind), ContainerID: "c"})
		n.require(t, "g-"+string(kind))
	}
	send(t, stream, container.Event{Type: container.EventRemoved, GameID: "g", ContainerID: "c"})
	n.require(t, "g without c")
	require.Empty(t, n, "a stream without a gap asks for nothing else")
}

// A stream that may have missed events asks for a full pass.
func TestGapAsksForALookAtEverything(t *testing.T) {
	t.Parallel()
	e, n := listen(t)
	stream := e.stream(t)
	send(t, stream, opened(true))
	n.require(t, everything)
	send(t, stream, container.Event{Type: container.EventExited, GameID: "g"})
	n.require(t, "g")
	send(t, stream, opened(true)) // in the middle of a stream
	n.require(t, everything)
}

func TestStreamThatBreaksIsOpenedAgain(t *testing.T) {
	t.Parallel()
	e, n := listen(t)
	for range 3 {
		stream := e.stream(t)
		send(t, stream, opened(true))
		n.require(t, everything)
		send(t, stream, container.Event{Type: container.EventStarted, GameID: "g"})
		n.require(t, "g")
		close(stream)
	}
}

// An engine that is away is asked less and less often, and heard at once when its
// stream stands again.
func TestStreamThatCannotBeOpenedIsTriedLaterEachTime(t *testing.T) {
	t.Parallel()
	e, n := listen(t)
	const failures = 5
	for range failures {
		close(e.stream(t))
	}
	stream := e.stream(t)
	send(t, stream, opened(true))
	n.require(t, everything)
	tries := e.tries()
	require.Len(t, tries, failures+1)
	first, last := tries[0], tries[failures]
	// The pauses are 100 ms at first, and half as much again each time, give or take a half.
	var whole time.Duration
	for pause := 50 * time.Millisecond; len(tries) > 1; pause, tries = pause*3/2, tries[1:] {
		whole += pause
	}
	require.GreaterOrEqual(t, last.Sub(first), whole)
}

// A worker that is stopped while it waits, or listens, ends.
func TestStopWhileAway(t *testing.T) {
	t.Parallel()
	e, _ := listen(t)
	close(e.stream(t))
	require.Eventually(t, func() bool { return len(e.tries()) >= 1 }, patience, time.Millisecond)
}
