package httpclient_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// malformedLines are lines that a server of this API never sends.
func malformedLines() map[string]string {
	return map[string]string{
		"garbage":                    `<html>Bad Gateway</html>`,
		"an object of no type":       `{}`,
		"no object":                  `null`,
		"an oversized line":          strings.Repeat("x", 5<<20),
		"an error without a problem": `{"type":"error","final":true}`,
		"a change without a record":  `{"type":"upserted","revision":6,"game_id":"a","last":true}`,
		"a change of no game":        `{"type":"deleted","revision":6,"last":true}`,
	}
}

// One malformed line breaks the connection.
func TestMalformedLineBreaksTheConnection(t *testing.T) {
	t.Parallel()
	for name, line := range malformedLines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := scriptedClient(t, fastRetries(),
				func(s exchange) {
					s.openStream("s").sendEvents(snapshotOf(5)...).sendLines(line).sendEvents(upserted(9, "x")).hang()
				},
				func(s exchange) { s.openStream("s").sendEvents(upserted(6, "a")).sendLines(line).hang() },
				func(s exchange) { s.openStream("s").sendEvents(upserted(7, "a")).hang() },
			)
			startWatch(t, client, ports.WatchOptions{}).requireSteps("synced 5 ", "upserted 6 a", "upserted 7 a")
		})
	}
}

// Without a limit, a stream that is malformed on every connection would be requested
// forever.
func TestRepeatedlyMalformedStreamEndsTheWatch(t *testing.T) {
	t.Parallel()
	lines := malformedLines()
	delete(lines, "an oversized line") // takes long to send that often
	for name, line := range lines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started, requests := scriptedClient(t, fastRetries(),
				func(s exchange) { s.openStream("s").sendEvents(snapshotOf(5)...).dropConnection() },
				func(s exchange) { s.openStream("s").sendLines(line).hang() },
			)
			c := startWatch(t, started, ports.WatchOptions{Resync: true})
			c.requireSteps("synced 5 ")
			requireOnly(t, runtime.ErrIncompatible, c.requireEnd())
			require.Greater(t, requests.Load(), int64(5), "connections before the watch ended")

			fresh, requests := scriptedClient(t, fastRetries(), func(s exchange) { s.openStream("s").sendLines(line).hang() })
			requireOnly(t, runtime.ErrIncompatible, startWatch(t, fresh, ports.WatchOptions{}).requireEnd())
			require.Greater(t, requests.Load(), int64(5), "connections of a watch that never started")
		})
	}
}
