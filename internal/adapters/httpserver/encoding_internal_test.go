package httpserver

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func changeOf(revision int64, node string) ports.RuntimeEvent {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return ports.RuntimeEvent{
		Type: ports.EventUpserted, Revision: revision, GameID: "g", Last: true,
		After: &runtime.RuntimeRecord{GameID: "g", Status: runtime.StatusRunning, Node: node, CreatedAt: at, LastOpAt: at, StartedAt: &at},
	}
}

func shared(a, b []byte) bool { return &a[0] == &b[0] }

func TestOneChangeIsEncodedOnce(t *testing.T) {
	t.Parallel()
	e := newEncodings()
	first := e.encode(changeOf(5, "n"))
	require.True(t, shared(first, e.encode(changeOf(5, "n"))), "the same change, of another stream")

	notLast := changeOf(5, "n")
	notLast.Last = false
	require.NotContains(t, string(e.encode(notLast)), `"last"`, "to a stream that hears of more at this revision")
	require.Contains(t, string(e.encode(changeOf(5, "other"))), `"other"`, "another history gives the revision another content")
	require.Contains(t, string(e.encode(changeOf(6, "n"))), `"revision":6`)
}

func TestLargeAndSingularEventsAreNotKept(t *testing.T) {
	t.Parallel()
	e := newEncodings()
	large := changeOf(5, strings.Repeat("x", maxEncodingBytes))
	require.False(t, shared(e.encode(large), e.encode(large)))
	bookmark := ports.RuntimeEvent{Type: ports.EventBookmark, Revision: 5, Last: true}
	require.False(t, shared(e.encode(bookmark), e.encode(bookmark)))
}

func BenchmarkEncodeForManyStreams(b *testing.B) {
	event := changeOf(5, "n")
	for name, encode := range map[string]func() []byte{
		"shared": func() func() []byte {
			e := newEncodings()
			return func() []byte { return e.encode(event) }
		}(),
		"each": func() []byte { return encodeJSON(api.EventFrom(event)) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				encode()
			}
		})
	}
}
