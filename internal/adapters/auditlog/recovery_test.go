package auditlog_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/auditlog"
	"galaxy/rtmanager/internal/domain/audit"
)

// While the file cannot be written, Append and Check fail. The log recovers without a
// call, and then stores the events that it could not store before.
func TestRecovery(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{}, nil)
	f.append(t, succeeded("1"))
	require.NoError(t, f.Check())
	require.NoError(t, os.Remove(f.path))
	require.NoError(t, os.Mkdir(f.path, 0o700))

	for _, id := range []string{"2", "3"} {
		require.ErrorIs(t, f.Append(t.Context(), succeeded(id)), audit.ErrUnavailable)
		require.ErrorIs(t, f.Check(), audit.ErrUnavailable)
	}
	require.False(t, f.Stats().IsAvailable)
	require.NoError(t, f.Append(t.Context(), deniedTo("10.0.0.9", "4")), "a denied event does not wait for the disk")

	require.NoError(t, os.Remove(f.path))
	require.Eventually(t, func() bool { return f.Check() == nil }, testTimeout, tick)
	f.append(t, succeeded("5"))
	require.Equal(t, []string{"2", "3", "4", "5"}, ids(f.read(t)))
	require.Equal(t, 1, strings.Count(f.logged.String(), "cannot be written"), f.logged.String())
	require.Equal(t, 1, strings.Count(f.logged.String(), "can be written"), f.logged.String())
	require.Equal(t, int64(2), f.Stats().Failures)
}

// The lines that are kept in memory during a failure are bounded. The file reports how many
// were lost.
func TestUnstoredLinesAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{MaxBytes: 16 << 20}, nil)
	require.NoError(t, os.Remove(f.path))
	require.NoError(t, os.Mkdir(f.path, 0o700))
	const count = 1000
	for i := range count {
		event := succeeded(strconv.Itoa(i))
		event.Reason, event.Detail = strings.Repeat("r", audit.MaxReasonBytes), strings.Repeat("d", audit.MaxReasonBytes)
		require.ErrorIs(t, f.Append(t.Context(), event), audit.ErrUnavailable)
	}
	require.NoError(t, os.Remove(f.path))
	require.Eventually(t, func() bool { return f.Check() == nil }, testTimeout, tick)
	events := f.read(t)
	require.Less(t, len(events), 500)
	last := events[len(events)-1]
	require.Equal(t, "audit-recovered", last.Action)
	require.Equal(t, int64(count-len(events)+1), last.Count)
	require.Equal(t, strconv.Itoa(len(events)-2), events[len(events)-2].RequestID, "the oldest lines are kept")
}

// A client that disconnects does not lose its event.
func TestEndedContextDoesNotLoseTheEvent(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Append(ctx, succeeded("1")); err != nil {
		require.ErrorIs(t, err, audit.ErrUnavailable)
	}
	f.stop()
	require.Equal(t, []string{"1"}, ids(f.read(t)))
}
