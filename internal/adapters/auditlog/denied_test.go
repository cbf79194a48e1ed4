package auditlog_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/auditlog"
	"galaxy/rtmanager/internal/domain/audit"
)

// sum returns how many requests the events represent.
func sum(events []audit.Event) int64 {
	var total int64
	for _, event := range events {
		total += max(event.Count, 1)
	}
	return total
}

// The first denied requests of a source are stored one by one; the others are one line.
func TestDeniedEventsOfOneSourceAreCounted(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{}, nil)
	for i := range 1000 {
		f.append(t, deniedTo(fmt.Sprintf("2001:db8::%x", i), strconv.Itoa(i)))
	}
	forbidden := deniedTo("2001:db8::1", "forbidden")
	forbidden.Actor, forbidden.Status = "user:eve", 403
	f.append(t, forbidden)
	f.append(t, succeeded("served"))
	f.stop()
	events := f.read(t)
	require.Len(t, events, 13)
	require.Equal(t, int64(1002), sum(events))
	require.Contains(t, ids(events), "forbidden", "another caller at the same network is counted apart")
	last := events[12]
	require.Equal(t, int64(990), last.Count)
	require.Equal(t, "2001:db8::/64", last.RemoteAddr)
	require.Equal(t, "999", last.RequestID)
}

// A flood of denied requests from very many sources takes little memory and disk.
func TestDeniedEventsOfManySourcesAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{}, nil)
	const count = 100_000
	for i := range count {
		f.append(t, deniedTo(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&0xff, i&0xff), strconv.Itoa(i)))
	}
	f.append(t, succeeded("served"))
	f.stop()
	events := f.read(t)
	require.LessOrEqual(t, len(events), 400)
	require.Equal(t, int64(count+1), sum(events))
	require.Contains(t, ids(events), "served")
	info, err := os.Stat(f.path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(256<<10))
}
