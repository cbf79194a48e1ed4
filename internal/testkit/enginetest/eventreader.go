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
type eventReader struct{ items chan streamItem }

// streamItem is what one step of a stream yields.
type streamItem struct {
	event container.Event
	err   error
}

// openEvents opens a stream and returns it after its first event. It closes the stream
// when the test ends.
func openEvents(t *testing.T, engine ports.Engine) *eventReader {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &eventReader{items: make(chan streamItem)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.forward(ctx, engine.Events(ctx))
	}()
	t.Cleanup(func() { cancel(); <-done })
	require.Equal(t, container.EventStreamOpened, r.next(t).Type, "the first event of a stream")
	return r
}

// forward sends the items of the stream until ctx ends.
func (r *eventReader) forward(ctx context.Context, stream iter.Seq2[container.Event, error]) {
	for event, err := range stream {
		select {
		case r.items <- streamItem{event, err}:
		case <-ctx.Done():
			return
		}
	}
}

// next returns the next event.
func (r *eventReader) next(t *testing.T) container.Event {
	t.Helper()
	select {
	case item := <-r.items:
		require.NoError(t, item.err)
		return item.event
	case <-time.After(waitTimeout):
		require.FailNow(t, "no event within "+waitTimeout.String())
		return container.Event{}
	}
}

// waitFor reads events until one of the type about the container.
func (r *eventReader) waitFor(t *testing.T, kind container.EventType, c container.Container) {
	t.Helper()
	for {
		event := r.next(t)
		if event.Type == kind && event.ContainerID == c.ID {
			require.Equal(t, c.Labels.GameID, event.GameID)
			return
		}
	}
}
