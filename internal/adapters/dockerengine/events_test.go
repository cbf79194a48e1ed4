package dockerengine_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/ports"
)

// stream reads events one by one.
type stream struct {
	next func() (ports.EngineEvent, error, bool)
}

// events opens a stream that ends with the test.
func events(t *testing.T, engine ports.Engine) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	next, stop := iter.Pull2(engine.Events(ctx))
	t.Cleanup(func() { cancel(); stop() })
	s := &stream{next: next}
	require.Equal(t, ports.EngineEvent{Type: ports.EngineOpened, Continuity: ports.ContinuityUnknown}, s.one(t))
	return s
}

func (s *stream) one(t *testing.T) ports.EngineEvent {
	t.Helper()
	event, err, ok := s.next()
	require.NoError(t, err)
	require.True(t, ok)
	return event
}

// require reads until the events have come, in this order, and nothing else.
func (s *stream) require(t *testing.T, kind ports.EngineEventType, id string) {
	t.Helper()
	event := s.one(t)
	require.Equal(t, ports.EngineEvent{Type: kind, GameID: event.GameID, ContainerID: id}, event)
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
	require.Equal(t, ports.EngineEvent{Type: ports.EngineStarted, GameID: "g1", ContainerID: made.ID}, started)
	require.NoError(t, r.Stop(t.Context(), made.ID, time.Second))
	s.require(t, ports.EngineExited, made.ID)
	require.NoError(t, r.Remove(t.Context(), made.ID))
	s.require(t, ports.EngineRemoved, made.ID)

	byHand := r.run(t, r.spec("g2"))
	s.require(t, ports.EngineStarted, byHand.ID)
	_, err := r.api.ContainerKill(t.Context(), byHand.ID, client.ContainerKillOptions{})
	require.NoError(t, err)
	s.require(t, ports.EngineExited, byHand.ID)
	_, err = r.api.ContainerRemove(t.Context(), byHand.ID, client.ContainerRemoveOptions{Force: true})
	require.NoError(t, err)
	s.require(t, ports.EngineRemoved, byHand.ID)
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
