package events_test

import (
	"context"
	"iter"
	"slices"
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

const timeout = 30 * time.Second

// engine serves the streams of the test, one after the other, each until it is closed.
type engine struct {
	ports.ContainerReader
	streams chan chan container.Event

	mu    sync.Mutex
	opens []time.Time // when Events was called; guarded by mu
}

func (e *engine) Events(ctx context.Context) iter.Seq2[container.Event, error] {
	return func(yield func(container.Event, error) bool) {
		e.mu.Lock()
		e.opens = append(e.opens, time.Now())
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

// serveStream makes the next call of Events return a new stream.
func (e *engine) serveStream(t *testing.T) chan container.Event {
	t.Helper()
	stream := make(chan container.Event)
	send(t, e.streams, stream)
	return stream
}

func (e *engine) openTimes() []time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.opens)
}

func send[T any](t *testing.T, to chan<- T, value T) {
	t.Helper()
	select {
	case to <- value:
	case <-time.After(timeout):
		require.Fail(t, "the worker does not receive")
	}
}

// fullReconcile is the text that a queue sends for TriggerFullReconcile.
const fullReconcile = "*"

// queue sends a text per call.
type queue chan string

func (q queue) Enqueue(gameID string)                     { q <- gameID }
func (q queue) EnqueueRemoved(gameID, containerID string) { q <- gameID + " without " + containerID }
func (q queue) TriggerFullReconcile()                     { q <- fullReconcile }

func (q queue) require(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-q:
		require.Equal(t, want, got)
	case <-time.After(timeout):
		require.Fail(t, "the queue is not called", want)
	}
}

// startWorker runs a worker until the test ends.
func startWorker(t *testing.T) (*engine, queue) {
	t.Helper()
	e, q := &engine{streams: make(chan chan container.Event)}, make(queue, 100)
	w := events.New(events.Dependencies{Engine: e, Queue: q}, events.Config{})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	errc := make(chan error, 1)
	go func() { errc <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-errc)
	})
	return e, q
}

func opened(eventsMissed bool) container.Event {
	return container.Event{Type: container.EventStreamOpened, EventsMissed: eventsMissed}
}

func TestEventsEnqueueTheirGames(t *testing.T) {
	t.Parallel()
	e, q := startWorker(t)
	stream := e.serveStream(t)
	send(t, stream, opened(false))
	for _, kind := range []container.EventType{container.EventStarted, container.EventExited} {
		send(t, stream, container.Event{Type: kind, GameID: "g-" + string(kind), ContainerID: "c"})
		q.require(t, "g-"+string(kind))
	}
	send(t, stream, container.Event{Type: container.EventRemoved, GameID: "g", ContainerID: "c"})
	q.require(t, "g without c")
	require.Empty(t, q, "a stream without a gap triggers no full reconcile")
}

func TestGapTriggersAFullReconcile(t *testing.T) {
	t.Parallel()
	e, q := startWorker(t)
	stream := e.serveStream(t)
	send(t, stream, opened(true))
	q.require(t, fullReconcile)
	send(t, stream, container.Event{Type: container.EventExited, GameID: "g"})
	q.require(t, "g")
	send(t, stream, opened(true)) // in the middle of a stream
	q.require(t, fullReconcile)
}

func TestStreamThatEndsIsReopened(t *testing.T) {
	t.Parallel()
	e, q := startWorker(t)
	for range 3 {
		stream := e.serveStream(t)
		send(t, stream, opened(true))
		q.require(t, fullReconcile)
		send(t, stream, container.Event{Type: container.EventStarted, GameID: "g"})
		q.require(t, "g")
		close(stream)
	}
}

// While the engine is down, the delay between attempts grows. Events arrive as soon as
// a stream is open.
func TestReconnectBacksOff(t *testing.T) {
	t.Parallel()
	e, q := startWorker(t)
	const failures = 5
	for range failures {
		close(e.serveStream(t))
	}
	stream := e.serveStream(t)
	send(t, stream, opened(true))
	q.require(t, fullReconcile)
	attempts := e.openTimes()
	require.Len(t, attempts, failures+1)
	elapsed := attempts[failures].Sub(attempts[0])
	// The delays start at 100 ms and grow by a half each time, plus or minus a half.
	var minimum time.Duration
	for delay := 50 * time.Millisecond; len(attempts) > 1; delay, attempts = delay*3/2, attempts[1:] {
		minimum += delay
	}
	require.GreaterOrEqual(t, elapsed, minimum)
}

// The cleanup of startWorker checks that Run returns while it waits to reconnect.
func TestRunEndsDuringBackoff(t *testing.T) {
	t.Parallel()
	e, _ := startWorker(t)
	close(e.serveStream(t))
	require.Eventually(t, func() bool { return len(e.openTimes()) >= 1 }, timeout, time.Millisecond)
}
