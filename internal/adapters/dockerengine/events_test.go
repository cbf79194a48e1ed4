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

// stream reads events one by one.
type stream struct {
	next func() (container.Event, error, bool)
}

// events opens a stream that ends with the test.
func events(t *testing.T, engine ports.Engine) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	next, stop := iter.Pull2(engine.Events(ctx))
	t.Cleanup(func() { cancel(); stop() })
	s := &stream{next: next}
	require.Equal(t, container.Event{Type: container.EventStreamOpened, EventsMissed: true}, s.one(t))
	return s
}

func (s *stream) one(t *testing.T) container.Event {
	t.Helper()
	event, err, ok := s.next()
	require.NoError(t, err)
	require.True(t, ok)
	return event
}

// require reads until the events have come, in this order, and nothing else.
func (s *stream) require(t *testing.T, kind container.EventType, id string) {
	t.Helper()
	event := s.one(t)
	require.Equal(t, container.Event{Type: kind, GameID: event.GameID, ContainerID: id}, event)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	stranger := newRig(t, nil)
	s := events(t, r)
	stranger.run(t, stranger.spec("g1"))
	made := r.create(t, r.spec("g1"))
	require.NoError(t, r.Start(t.Context(), made.ID))
	started := s.one(t)
	require.Equal(t, container.Event{Type: container.EventStarted, GameID: "g1", ContainerID: made.ID}, started)
	require.NoError(t, r.Stop(t.Context(), made.ID, time.Second))
	s.require(t, container.EventExited, made.ID)
	require.NoError(t, r.Remove(t.Context(), made.ID))
	s.require(t, container.EventRemoved, made.ID)

	byHand := r.run(t, r.spec("g2"))
	s.require(t, container.EventStarted, byHand.ID)
	_, err := r.api.ContainerKill(t.Context(), byHand.ID, client.ContainerKillOptions{})
	require.NoError(t, err)
	s.require(t, container.EventExited, byHand.ID)
	_, err = r.api.ContainerRemove(t.Context(), byHand.ID, client.ContainerRemoveOptions{Force: true})
	require.NoError(t, err)
	s.require(t, container.EventRemoved, byHand.ID)
}

func TestEventsEndWithTheContext(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ends []error
	for event, err := range r.Events(ctx) {
		if err != nil {
			require.Zero(t, event)
			ends = append(ends, err)
			continue
		}
		cancel()
	}
	require.Len(t, ends, 1)
	require.ErrorIs(t, ends[0], context.Canceled)
}
