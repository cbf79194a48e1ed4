package enginetest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func eventTests() []contractTest {
	return []contractTest{
		{"the first event of a stream reports whether events were missed", func(t *testing.T, f *fixture) {
			for event, err := range f.engine.Events(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, container.EventStreamOpened, event.Type)
				require.Empty(t, event.GameID)
				require.Empty(t, event.ContainerID)
				break
			}
		}},
		{"a stream yields starts, exits and removals", testEvents},
		{"a stream yields an exit that the engine caused", testEventsOfStopAndRemove},
		{"a stream yields each run of a container", testEventsOfRestarts},
		{"every stream yields all events", testEventsOnTwoStreams},
		{"a stream ends with an error when its context ends", testEventsEndWithContext},
		{"a stream ends when its consumer stops ranging", testEventsConsumerStops},
	}
}

func testEvents(t *testing.T, f *fixture) {
	events := openEvents(t, f.engine)
	c := f.start(t, f.create(t, f.spec("a/🎲")).ID)
	events.waitFor(t, container.EventStarted, c)
	f.Kill(t, c)
	events.waitFor(t, container.EventExited, c)
	requireExit(t, f.waitExited(t, c.ID), killedExitCode)
	f.remove(t, c.ID)
	events.waitFor(t, container.EventRemoved, c)
}

func testEventsOfStopAndRemove(t *testing.T, f *fixture) {
	events := openEvents(t, f.engine)
	stopped, removed := f.runReady(t), f.runReady(t)
	f.stop(t, stopped.ID, longGrace)
	events.waitFor(t, container.EventExited, stopped)
	f.remove(t, removed.ID)
	events.waitFor(t, container.EventRemoved, removed)
}

func testEventsOfRestarts(t *testing.T, f *fixture) {
	events := openEvents(t, f.engine)
	c := f.create(t, f.spec("game"))
	for range 3 {
		f.start(t, c.ID)
		events.waitFor(t, container.EventStarted, c)
		f.stop(t, c.ID, 0)
		events.waitFor(t, container.EventExited, c)
	}
}

func testEventsOnTwoStreams(t *testing.T, f *fixture) {
	one, two := openEvents(t, f.engine), openEvents(t, f.engine)
	c := f.run(t)
	one.waitFor(t, container.EventStarted, c)
	two.waitFor(t, container.EventStarted, c)
}

func testEventsEndWithContext(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var end error
	for event, err := range f.engine.Events(ctx) {
		if err != nil {
			require.Zero(t, event)
			end = err
			continue // no event may follow
		}
		require.NoError(t, end, "an event follows the error")
		cancel()
	}
	requireContextEnded(t, end)
}

// requireContextEnded fails unless err is the error of a context that ended.
func requireContextEnded(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err, "a stream ends with an error")
	for _, allowed := range []error{container.ErrEngineUnavailable, context.Canceled} {
		if errors.Is(err, allowed) {
			return
		}
	}
	require.Fail(t, "not the error of a context", "%v", err)
}

func testEventsConsumerStops(t *testing.T, f *fixture) {
	for range 3 {
		for _, err := range f.engine.Events(t.Context()) {
			require.NoError(t, err)
			break
		}
	}
	events := openEvents(t, f.engine)
	c := f.run(t)
	events.waitFor(t, container.EventStarted, c)
}
