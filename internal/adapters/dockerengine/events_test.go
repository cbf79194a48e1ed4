package dockerengine_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
)

// stream reads one event at a time.
type stream struct {
	next func() (container.Event, error, bool)
}

// openStream opens a stream that ends with the test.
func openStream(t *testing.T, engine ports.Engine) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	next, stop := iter.Pull2(engine.Events(ctx))
	t.Cleanup(func() { cancel(); stop() })
	s := &stream{next: next}
	require.Equal(t, container.Event{Type: container.EventStreamOpened, EventsMissed: true}, s.nextEvent(t))
	return s
}

// nextEvent returns the next event.
func (s *stream) nextEvent(t *testing.T) container.Event {
	t.Helper()
	event, err, ok := s.next()
	require.NoError(t, err)
	require.True(t, ok)
	return event
}

// requireEvent fails unless the next event has the type and the container.
func (s *stream) requireEvent(t *testing.T, kind container.EventType, id string) {
	t.Helper()
	event := s.nextEvent(t)
	require.Equal(t, container.Event{Type: kind, GameID: event.GameID, ContainerID: id}, event)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	foreign := newFixture(t, nil)
	s := openStream(t, f)
	foreign.run(t, foreign.spec("g1"))
	created := f.create(t, f.spec("g1"))
	require.NoError(t, f.Start(t.Context(), created.ID))
	started := s.nextEvent(t)
	require.Equal(t, container.Event{Type: container.EventStarted, GameID: "g1", ContainerID: created.ID}, started)
	require.NoError(t, f.Stop(t.Context(), created.ID, time.Second))
	s.requireEvent(t, container.EventExited, created.ID)
	require.NoError(t, f.Remove(t.Context(), created.ID))
	s.requireEvent(t, container.EventRemoved, created.ID)

	external := f.run(t, f.spec("g2"))
	s.requireEvent(t, container.EventStarted, external.ID)
	_, err := f.api.ContainerKill(t.Context(), external.ID, client.ContainerKillOptions{})
	require.NoError(t, err)
	s.requireEvent(t, container.EventExited, external.ID)
	_, err = f.api.ContainerRemove(t.Context(), external.ID, client.ContainerRemoveOptions{Force: true})
	require.NoError(t, err)
	s.requireEvent(t, container.EventRemoved, external.ID)
}

func TestEventsEndWithTheContext(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var errs []error
	for event, err := range f.Events(ctx) {
		if err != nil {
			require.Zero(t, event)
			errs = append(errs, err)
			continue
		}
		cancel()
	}
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], context.Canceled)
}
