package processengine_test

import (
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func TestAnExitEventFollowsTheState(t *testing.T) {
	t.Parallel()
	e := newFixture(t).open(t)
	next, stop := iter.Pull2(e.Events(t.Context()))
	defer stop()
	opened, err, _ := next()
	require.NoError(t, err)
	require.Equal(t, container.Event{Type: container.EventStreamOpened, EventsMissed: true}, opened)

	c := e.create(t, spec("a"))
	for range 10 {
		require.NoError(t, e.Start(t.Context(), c.ID))
		game, _ := e.pids(t, c.ID)
		kill(t, game)
		started, err, _ := next()
		require.NoError(t, err)
		require.Equal(t, container.Event{Type: container.EventStarted, GameID: "a", ContainerID: c.ID}, started)
		exited, err, _ := next()
		require.NoError(t, err)
		require.Equal(t, container.EventExited, exited.Type)
		inspected := e.inspect(t, c.ID)
		require.Equal(t, container.StateExited, inspected.State)
		require.Equal(t, 137, *inspected.ExitCode)
	}
}

func TestASlowConsumerMissesEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	config := f.config(owner)
	config.EventBuffer = 3
	e := f.openWith(t, config)
	next, stop := iter.Pull2(e.Events(t.Context()))
	defer stop()
	_, err, _ := next()
	require.NoError(t, err)

	c := e.create(t, spec("a"))
	for range 4 {
		require.NoError(t, e.Start(t.Context(), c.ID))
		require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	}
	require.NoError(t, e.Remove(t.Context(), c.ID))

	missed, err, _ := next()
	require.NoError(t, err)
	require.Equal(t, container.Event{Type: container.EventStreamOpened, EventsMissed: true}, missed)
	var last container.Event
	for n := 0; last.Type != container.EventRemoved; n++ {
		require.Less(t, n, 3, "at most as many events as the buffer holds")
		last, err, _ = next()
		require.NoError(t, err)
	}
}

func TestClosingEndsStreamsAndWaits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.open(t)
	c := e.start(t, spec("a", "--ignore-sigterm"))
	waitReady(t, c)
	opened, streamErr, stopErr := make(chan struct{}), make(chan error, 1), make(chan error, 1)
	go func() {
		var lastErr error
		for _, err := range e.Events(t.Context()) {
			if lastErr = err; err == nil {
				close(opened)
			}
		}
		streamErr <- lastErr
	}()
	<-opened
	go func() { stopErr <- e.Stop(t.Context(), c.ID, longGrace) }()
	eventually(t, "the game has received SIGTERM", func() bool {
		lines, err := e.Logs(t.Context(), c.ID, 1)
		return err == nil && len(lines) == 1 && lines[0] == "ignores terminated"
	})
	require.NoError(t, e.Close())
	require.ErrorIs(t, <-streamErr, container.ErrEngineUnavailable)
	require.ErrorIs(t, <-stopErr, container.ErrEngineUnavailable)
	require.NoError(t, e.Close(), "second close")
	_, err := e.List(t.Context(), "")
	require.ErrorIs(t, err, container.ErrEngineUnavailable)
	for _, err := range e.Events(t.Context()) {
		require.ErrorIs(t, err, container.ErrEngineUnavailable)
	}
	require.Equal(t, container.StateRunning, f.open(t).inspect(t, c.ID).State)
}
