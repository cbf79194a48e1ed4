package enginetest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func eventBehaviours() []behaviour {
	return []behaviour{
		{"a stream opens by saying whether something was missed", func(t *testing.T, r *rig) {
			for event, err := range r.engine.Events(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, container.EventStreamOpened, event.Type)
				require.Empty(t, event.GameID)
				require.Empty(t, event.ContainerID)
				break
			}
		}},
		{"starts, exits and removals are told", eventsOfALife},
		{"an exit that the engine caused is told as one that it did not", eventsOfAStop},
		{"each run of a container is told", eventsOfRestart},
		{"every stream is told everything", eventsOnEveryStream},
		{"a stream ends when its context ends, with an error", eventsEnd},
		{"a stream ends when its consumer stops", eventsLeft},
	}
}

func eventsOfALife(t *testing.T, r *rig) {
	events := openEvents(t, r.engine)
	c := r.start(t, r.create(t, r.spec("a/🎲")).ID)
	events.await(t, container.EventStarted, c)
	r.Kill(t, c)
	events.await(t, container.EventExited, c)
	requireExit(t, r.exited(t, c.ID), killed)
	r.remove(t, c.ID)
	events.await(t, container.EventRemoved, c)
}

func eventsOfAStop(t *testing.T, r *rig) {
	events := openEvents(t, r.engine)
	stopped, removed := r.runReady(t), r.runReady(t)
	r.stop(t, stopped.ID, longGrace)
	events.await(t, container.EventExited, stopped)
	r.remove(t, removed.ID)
	events.await(t, container.EventRemoved, removed)
}

func eventsOfRestart(t *testing.T, r *rig) {
	events := openEvents(t, r.engine)
	c := r.create(t, r.spec("game"))
	for range 3 {
		r.start(t, c.ID)
		events.await(t, container.EventStarted, c)
		r.stop(t, c.ID, 0)
		events.await(t, container.EventExited, c)
	}
}

func eventsOnEveryStream(t *testing.T, r *rig) {
	one, two := openEvents(t, r.engine), openEvents(t, r.engine)
	c := r.run(t)
	one.await(t, container.EventStarted, c)
	two.await(t, container.EventStarted, c)
}

func eventsEnd(t *testing.T, r *rig) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var end error
	for event, err := range r.engine.Events(ctx) {
		if err != nil {
			require.Zero(t, event)
			end = err
			continue // nothing may follow
		}
		require.NoError(t, end, "nothing follows the error")
		cancel()
	}
	requireEnded(t, end)
}

// requireEnded fails unless the error says that the context ended.
func requireEnded(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err, "a stream does not end without a reason")
	for _, allowed := range []error{container.ErrEngineUnavailable, context.Canceled} {
		if errors.Is(err, allowed) {
			return
		}
	}
	require.Fail(t, "not the end of a context", "%v", err)
}

func eventsLeft(t *testing.T, r *rig) {
	for range 3 {
		for _, err := range r.engine.Events(t.Context()) {
			require.NoError(t, err)
			break
		}
	}
	events := openEvents(t, r.engine)
	c := r.run(t)
	events.await(t, container.EventStarted, c)
}
