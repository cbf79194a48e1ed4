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

func watchEndTests() []contractTest {
	return []contractTest{
		{name: "a consumer may stop iterating at any event", test: testEndByBreak},
		{name: "a canceled context ends the stream with one error", test: testEndByCancel},
		{name: "a deadline ends the stream with its error", test: testEndByDeadline},
		{name: "a context that is canceled before the watch ends it at once", test: testEndBeforeStart},
		{name: "a canceled context ends a stream with unread events", test: testEndUnread},
		{name: "a revision that the store has not reached is ErrForeignRevision", test: testEndFuture},
		{name: "a revision of another store is ErrForeignRevision", test: testEndOtherStore},
		{name: "a negative revision is ErrInvalid", test: testEndInvalid("from_revision", ports.WatchOptions{FromRevision: -1})},
		{name: "an unknown status is ErrInvalid", test: testEndInvalid("status", ports.WatchOptions{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{"paused"}}})},
		{name: "an invalid game id is ErrInvalid", test: testEndInvalid("game_id", ports.WatchOptions{GameID: ".."})},
	}
}

func testEndByBreak(t *testing.T, _ Harness, s Store) {
	for n := range 5 {
		putRecord(t, s, RunningRecord(GameName(n)))
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

func testEndByCancel(t *testing.T, _ Harness, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := openWatchIn(ctx, t, s, ports.WatchOptions{})
	w.readSnapshot()
	cancel()
	w.requireError(context.Canceled)
}

func testEndByDeadline(t *testing.T, _ Harness, s Store) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var errs []error
	for _, err := range s.Watch(ctx, ports.WatchOptions{FromRevision: currentRevision(t, s)}) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], context.DeadlineExceeded)
}

func testEndBeforeStart(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	openWatchIn(ctx, t, s, ports.WatchOptions{}).requireError(context.Canceled)
}

func testEndUnread(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := openWatchIn(ctx, t, s, ports.WatchOptions{})
	w.readSnapshot()
	alternateStatus(t, s, "a", 20)
	cancel()
	// events that had arrived may be yielded before the error
	for {
		_, err, ok := w.next()
		require.True(t, ok, "the stream ended without a reason")
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			return
		}
	}
}

func testEndFuture(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	openWatch(t, s, ports.WatchOptions{FromRevision: futureRevision(t, s)}).requireError(runtime.ErrForeignRevision)
}

func testEndOtherStore(t *testing.T, h Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	other, err := h.Open(t).Info(t.Context())
	require.NoError(t, err)
	for _, store := range []string{other.ID, "00000000-0000-0000-0000-000000000000", "x"} {
		openWatch(t, s, ports.WatchOptions{FromRevision: first.Revision, Store: store}).requireError(runtime.ErrForeignRevision)
	}
}

func testEndInvalid(field string, options ports.WatchOptions) func(*testing.T, Harness, Store) {
	return func(t *testing.T, _ Harness, s Store) {
		var errs []error
		for event, err := range s.Watch(t.Context(), options) {
			require.Zero(t, event)
			errs = append(errs, err)
		}
		require.Len(t, errs, 1)
		RequireInvalid(t, errors.Join(errs...), field)
	}
}
