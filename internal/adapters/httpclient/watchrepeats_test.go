package httpclient_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

func damagedAt(revision int64, gameID string) api.Event {
	final := false
	return api.Event{Type: api.TypeError, Revision: revision, GameID: gameID, Final: &final, Error: &api.Problem{
		Type: api.ProblemTypePrefix + api.CodeCorrupt, Status: http.StatusInternalServerError, Code: api.CodeCorrupt,
		Key: "/runtimes/" + gameID, GameID: gameID, Reason: "is not JSON",
	}}
}

// unended is an event that others of its revision follow.
func unended(event api.Event) api.Event {
	event.Last = false
	return event
}

// What has been handed on is not handed on again, even by a server that sends it.
func TestServerThatRepeatsItselfIsHeardOnce(t *testing.T) {
	t.Parallel()
	synced := snapshotOf(5)
	client, _ := playing(t, quick(),
		func(s stage) {
			s.open("s").events(synced...).events(upserted(6, "a"), upserted(6, "a"), upserted(7, "a")).cut()
		},
		func(s stage) {
			s.open("s").events(damagedAt(6, "b"), unended(upserted(7, "c")), upserted(7, "a"), upserted(8, "a")).idle()
		},
	)
	consume(t, client, ports.WatchOptions{}).hears("synced 5 ", "upserted 6 a", "upserted 7 a", "upserted 8 a")
}

// A server that starts over while it starts over is heard to do so once, and
// what vanished is known all the same.
func TestResyncInsideAResyncIsOne(t *testing.T) {
	t.Parallel()
	resync := func(revision int64) api.Event {
		return api.Event{Type: string(ports.EventResync), Revision: revision}
	}
	gone := running("b")
	client, _ := playing(t, quick(), func(s stage) {
		s.open("s").events(snapshotOf(5, "a", "b")...)
		s.events(unended(upserted(6, "a")), resync(9))
		s.events(api.Event{Type: string(ports.EventDeleted), Revision: 9, GameID: "b", Before: &gone})
		s.events(snapshotOf(9, "a", "c")[:1]...)
		s.events(resync(4)).events(snapshotOf(4, "a")...).events(upserted(5, "d")).idle()
	})
	c := consume(t, client, ports.WatchOptions{Resync: true})
	c.hears("snapshot 5 a", "snapshot 5 b", "synced 5 ", "resync 4 ", "snapshot 4 a", "deleted 4 b", "synced 4 ", "upserted 5 d")
}

// A connection that brings nothing whole is none that works: the waits between
// tries grow, and a second holds few of them.
func TestConnectionsWithoutProgressAreSpacedOut(t *testing.T) {
	t.Parallel()
	cfg := quick()
	cfg.MaxBackoff = time.Hour
	client, requests := playing(t, cfg,
		func(s stage) { s.open("s").events(snapshotOf(5)...).cut() },
		func(s stage) { s.open("s").events(unended(upserted(6, "a"))).cut() },
	)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for _, err := range client.Watch(ctx, ports.WatchOptions{}) {
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	}
	require.Less(t, requests.Load(), int64(40), "connections within a second")
}
