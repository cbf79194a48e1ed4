package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/ports"
)

// eventCollector receives all events of one watch.
type eventCollector struct {
	events chan ports.RuntimeEvent
	failed chan error
}

// watchAll watches all records until ctx ends, across all restarts. It returns when the
// watch has started.
func watchAll(ctx context.Context, t *testing.T, d *daemonProcess) *eventCollector {
	t.Helper()
	w := &eventCollector{events: make(chan ports.RuntimeEvent, 100_000), failed: make(chan error, 1)}
	go func() {
		for event, err := range d.client.Watch(ctx, ports.WatchOptions{}) {
			if err != nil {
				w.failed <- err
				return
			}
			w.events <- event
		}
	}()
	select {
	case first := <-w.events:
		require.Equal(t, ports.EventSynced, first.Type, "the store is empty at the start")
	case <-time.After(waitTimeout):
		require.Fail(t, "the watch has not started")
	}
	return w
}

// verify requires one event for each acknowledged write, in the order of each game.
func (w *eventCollector) verify(t *testing.T, writers []*gameWriter) {
	t.Helper()
	next := map[string]int{}
	missing := 0
	byGame := map[string]*gameWriter{}
	for _, writer := range writers {
		byGame[writer.gameID] = writer
		missing += len(writer.acknowledged)
	}
	deadline := time.After(waitTimeout)
	for missing > 0 {
		select {
		case event := <-w.events:
			if event.GameID == "" {
				continue
			}
			n, writer := next[event.GameID], byGame[event.GameID]
			require.Less(t, n, len(writer.acknowledged), "an event of %s beyond its last write: %+v", event.GameID, event)
			want := writer.acknowledged[n]
			require.Equal(t, want.Revision, event.Revision, "event %d of %s", n, event.GameID)
			require.Equal(t, want.Record, *event.After, "event %d of %s", n, event.GameID)
			next[event.GameID]++
			missing--
		case err := <-w.failed:
			require.NoError(t, err, "the watch must survive the kills")
		case <-deadline:
			require.Fail(t, "events are missing", "%d events", missing)
		}
	}
}
