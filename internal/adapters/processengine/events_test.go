package processengine_test

import (
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func TestAnExitIsToldOnceInspectSaysSo(t *testing.T) {
	t.Parallel()
	e := newSite(t).open(t)
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
		told := e.inspect(t, c.ID)
		require.Equal(t, container.StateExited, told.State)
		require.Equal(t, 137, *told.ExitCode)
	}
}

func TestASlowConsumerIsToldThatItMissedSomething(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := s.config(owner)
	config.EventBuffer = 3
	e := s.openWith(t, config)
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
		require.Less(t, n, 3, "no more than the buffer holds")
		last, err, _ = next()
		require.NoError(t, err)
	}
}

func TestClosingEndsStreamsAndWaits(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e := s.open(t)
	stubborn := e.start(t, spec("a", "--ignore-sigterm"))
	ready(t, stubborn)
	opened, ended, stopped := make(chan struct{}), make(chan error, 1), make(chan error, 1)
	go func() {
		var end error
		for _, err := range e.Events(t.Context()) {
			if end = err; err == nil {
				close(opened)
			}
		}
		ended <- end
	}()
	<-opened
	go func() { stopped <- e.Stop(t.Context(), stubborn.ID, hour) }()
	eventually(t, "the game was asked", func() bool {
		lines, err := e.Logs(t.Context(), stubborn.ID, 1)
		return err == nil && len(lines) == 1 && lines[0] == "ignores terminated"
	})
	require.NoError(t, e.Close())
	require.ErrorIs(t, <-ended, container.ErrEngineUnavailable)
	require.ErrorIs(t, <-stopped, container.ErrEngineUnavailable)
	require.NoError(t, e.Close(), "once more is nothing")
	_, err := e.List(t.Context(), "")
	require.ErrorIs(t, err, container.ErrEngineUnavailable)
	for _, err := range e.Events(t.Context()) {
		require.ErrorIs(t, err, container.ErrEngineUnavailable)
	}
	require.Equal(t, container.StateRunning, s.open(t).inspect(t, stubborn.ID).State)
}
