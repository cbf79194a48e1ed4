package stream_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/stream"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// changeAt returns a change of the game g.
func changeAt(revision int64, node string) ports.RuntimeEvent {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return ports.RuntimeEvent{
		Type: ports.EventUpserted, Revision: revision, GameID: "g", Last: true,
		After: &runtime.RuntimeRecord{GameID: "g", Status: runtime.StatusRunning, Node: node, CreatedAt: at, LastOpAt: at, StartedAt: &at},
	}
}

// isShared reports whether both documents are the same memory.
func isShared(a, b []byte) bool { return &a[0] == &b[0] }

func TestChangeIsEncodedOnce(t *testing.T) {
	t.Parallel()
	c := stream.NewEventCache()
	first := c.Encode(changeAt(5, "n"))
	require.True(t, isShared(first, c.Encode(changeAt(5, "n"))), "the same change, for another stream")

	notLast := changeAt(5, "n")
	notLast.Last = false
	require.NotContains(t, string(c.Encode(notLast)), `"last"`, "for a stream with further events of the revision")
	require.Contains(t, string(c.Encode(changeAt(5, "other"))), `"other"`, "the same revision after a restore has another record")
	require.Contains(t, string(c.Encode(changeAt(6, "n"))), `"revision":6`)
}

func TestLargeAndSingleEventsAreNotCached(t *testing.T) {
	t.Parallel()
	c := stream.NewEventCache()
	large := changeAt(5, strings.Repeat("x", 4<<10))
	require.False(t, isShared(c.Encode(large), c.Encode(large)))
	bookmark := ports.RuntimeEvent{Type: ports.EventBookmark, Revision: 5, Last: true}
	require.False(t, isShared(c.Encode(bookmark), c.Encode(bookmark)))
}

func BenchmarkEncodeForManyStreams(b *testing.B) {
	event := changeAt(5, "n")
	c := stream.NewEventCache()
	for name, encode := range map[string]func() []byte{
		"cached":   func() []byte { return c.Encode(event) },
		"uncached": func() []byte { return api.Encode(api.EventFrom(event)) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				encode()
			}
		})
	}
}
