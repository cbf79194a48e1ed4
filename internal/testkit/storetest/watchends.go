package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func watchEndBehaviours() []behaviour {
	return []behaviour{
		{name: "a consumer may stop ranging at any event", test: endByBreak},
		{name: "a cancelled context ends the stream with its error, once", test: endByCancel},
		{name: "a deadline ends the stream with its error", test: endByDeadline},
		{name: "a context that ended before the watch ends it at once", test: endBeforeStart},
		{name: "a cancelled context ends a stream that nobody has read yet", test: endUnread},
		{name: "a revision that the store has not reached is ErrForeignRevision", test: endFuture},
		{name: "Resync does not excuse a revision from the future", test: endFutureResync},
		{name: "a revision of another store is ErrForeignRevision", test: endOtherStore},
		{name: "a negative revision is ErrInvalid", test: endInvalid("from_revision", ports.WatchOptions{FromRevision: -1})},
		{name: "an unknown status is ErrInvalid", test: endInvalid("status", ports.WatchOptions{Status: "paused"})},
		{name: "a game id that no game can have is ErrInvalid", test: endInvalid("game_id", ports.WatchOptions{GameID: ".."})},
	}
}

func endByBreak(t *testing.T, _ Harness, s ports.Store) {
	for n := range 5 {
		put(t, s, running(game(n)))
	}
	for stopAfter := 1; stopAfter <= 6; stopAfter++ {
		seen := 0
		for _, err := range s.Watch(t.Context(), ports.WatchOptions{}) {
			require.NoError(t, err)
			if seen++; seen == stopAfter {
				break
			}
		}
		require.Equal(t, stopAfter, seen)
	}
}

func endByCancel(t *testing.T, _ Harness, s ports.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	w := openWatchIn(ctx, t, cancel, s, ports.WatchOptions{})
	w.snapshot()
	cancel()
	w.fails(context.Canceled)
}

func endByDeadline(t *testing.T, _ Harness, s ports.Store) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var ended []error
	for _, err := range s.Watch(ctx, ports.WatchOptions{FromRevision: head(t, s)}) {
		if err != nil {
			ended = append(ended, err)
		}
	}
	require.Len(t, ended, 1)
	require.ErrorIs(t, ended[0], context.DeadlineExceeded)
}

func endBeforeStart(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	openWatchIn(ctx, t, cancel, s, ports.WatchOptions{}).fails(context.Canceled)
}

func endUnread(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	ctx, cancel := context.WithCancel(t.Context())
	w := openWatchIn(ctx, t, cancel, s, ports.WatchOptions{})
	w.snapshot()
	pingPong(t, s, "a", 20)
	cancel()
	// what had arrived may still be handed out, but then comes the end
	for {
		_, err, ok := w.next()
		require.True(t, ok, "the stream ended without a reason")
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			return
		}
	}
}

func endFuture(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	openWatch(t, s, ports.WatchOptions{FromRevision: farFuture(t, s)}).fails(runtime.ErrForeignRevision)
}

func endFutureResync(t *testing.T, _ Harness, s ports.Store) {
	openWatch(t, s, ports.WatchOptions{FromRevision: farFuture(t, s), Resync: true}).fails(runtime.ErrForeignRevision)
}

func endOtherStore(t *testing.T, h Harness, s ports.Store) {
	first := put(t, s, running("a"))
	other, err := h.Open(t).Info(t.Context())
	require.NoError(t, err)
	for _, store := range []string{other.ID, "00000000-0000-0000-0000-000000000000", "x"} {
		openWatch(t, s, ports.WatchOptions{FromRevision: first.Revision, Store: store}).fails(runtime.ErrForeignRevision)
	}
}

func endInvalid(field string, options ports.WatchOptions) func(*testing.T, Harness, ports.Store) {
	return func(t *testing.T, _ Harness, s ports.Store) {
		var ended []error
		for event, err := range s.Watch(t.Context(), options) {
			require.Zero(t, event)
			ended = append(ended, err)
		}
		require.Len(t, ended, 1)
		requireInvalid(t, errors.Join(ended...), field)
	}
}
