package httpclient_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// unreadable are lines that no server of this API sends.
func unreadable() map[string]string {
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

// One line that cannot be read is a broken connection.
func TestUnreadableLineIsABrokenConnection(t *testing.T) {
	t.Parallel()
	for name, line := range unreadable() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := playing(t, quick(),
				func(s stage) { s.open("s").events(snapshotOf(5)...).say(line).events(upserted(9, "x")).idle() },
				func(s stage) { s.open("s").events(upserted(6, "a")).say(line).idle() },
				func(s stage) { s.open("s").events(upserted(7, "a")).idle() },
			)
			consume(t, client, ports.WatchOptions{}).hears("synced 5 ", "upserted 6 a", "upserted 7 a")
		})
	}
}

// A stream that cannot be read however often it is asked for would be asked for
// in vain for ever.
func TestStreamThatStaysUnreadableEndsTheWatch(t *testing.T) {
	t.Parallel()
	lines := unreadable()
	delete(lines, "an oversized line") // which takes long to send so often
	for name, line := range lines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun, requests := playing(t, quick(),
				func(s stage) { s.open("s").events(snapshotOf(5)...).cut() },
				func(s stage) { s.open("s").say(line).idle() },
			)
			c := consume(t, begun, ports.WatchOptions{Resync: true})
			c.hears("synced 5 ")
			requireOnly(t, runtime.ErrIncompatible, c.ends())
			require.Greater(t, requests.Load(), int64(5), "connections before it was given up")

			fresh, requests := playing(t, quick(), func(s stage) { s.open("s").say(line).idle() })
			requireOnly(t, runtime.ErrIncompatible, consume(t, fresh, ports.WatchOptions{}).ends())
			require.Greater(t, requests.Load(), int64(5), "connections of a watch that never began")
		})
	}
}
