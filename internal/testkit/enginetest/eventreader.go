package enginetest

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
)

// eventReader reads one stream of events.
type eventReader struct {
	next func() (told, bool)
}

// told is what one step of a stream yields.
type told struct {
	event container.Event
	err   error
}

// openEvents opens a stream and returns it once it is open. It ends with the test.
func openEvents(t *testing.T, engine ports.Engine) *eventReader {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	steps := make(chan told)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pass(ctx, engine.Events(ctx), steps)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	r := &eventReader{next: func() (told, bool) {
		select {
		case step := <-steps:
			return step, true
		case <-time.After(patience):
			return told{}, false
		}
	}}
	require.Equal(t, container.EventStreamOpened, r.event(t).Type, "a stream opens with the event that says so")
	return r
}

func pass(ctx context.Context, stream iter.Seq2[container.Event, error], steps chan<- told) {
	for event, err := range stream {
		select {
		case steps <- told{event, err}:
		case <-ctx.Done():
			return
		}
	}
}

// event returns the next event.
func (r *eventReader) event(t *testing.T) container.Event {
	t.Helper()
	step, ok := r.next()
	require.True(t, ok, "waited in vain for an event")
	require.NoError(t, step.err)
	return step.event
}

// await returns the next event of the type about the container, whatever else is
// told before it.
func (r *eventReader) await(t *testing.T, kind container.EventType, c container.Container) {
	t.Helper()
	for {
		event := r.event(t)
		if event.Type == kind && event.ContainerID == c.ID {
			require.Equal(t, c.Labels.GameID, event.GameID)
			return
		}
	}
}
