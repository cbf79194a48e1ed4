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

func corruptAt(revision int64, gameID string) api.Event {
	final := false
	return api.Event{Type: api.TypeError, Revision: revision, GameID: gameID, Final: &final, Error: &api.Problem{
		Type: api.ProblemTypePrefix + string(api.CodeCorrupt), Status: http.StatusInternalServerError, Code: api.CodeCorrupt,
		Key: "/runtimes/" + gameID, GameID: gameID, Reason: "is not JSON",
	}}
}

// notLast returns the event as one that others of its revision follow.
func notLast(event api.Event) api.Event {
	event.Last = false
	return event
}

// An event that was emitted is not emitted a second time, even if the server resends it.
func TestRepeatedEventsAreEmittedOnce(t *testing.T) {
	t.Parallel()
	synced := snapshotOf(5)
	client, _ := scriptedClient(t, fastRetries(),
		func(s exchange) {
			s.openStream("s").sendEvents(synced...).sendEvents(upserted(6, "a"), upserted(6, "a"), upserted(7, "a")).dropConnection()
		},
		func(s exchange) {
			s.openStream("s").sendEvents(corruptAt(6, "b"), notLast(upserted(7, "c")), upserted(7, "a"), upserted(8, "a")).hang()
		},
	)
	startWatch(t, client, ports.WatchOptions{}).requireSteps("synced 5 ", "upserted 6 a", "upserted 7 a", "upserted 8 a")
}

// A resync during a resync is emitted as one, and the deleted games are still reported.
func TestNestedResyncsAreEmittedAsOne(t *testing.T) {
	t.Parallel()
	resync := func(revision int64) api.Event {
		return api.Event{Type: string(ports.EventResync), Revision: revision}
	}
	deleted := running("b")
	client, _ := scriptedClient(t, fastRetries(), func(s exchange) {
		s.openStream("s").sendEvents(snapshotOf(5, "a", "b")...)
		s.sendEvents(notLast(upserted(6, "a")), resync(9))
		s.sendEvents(api.Event{Type: string(ports.EventDeleted), Revision: 9, GameID: "b", Before: &deleted})
		s.sendEvents(snapshotOf(9, "a", "c")[:1]...)
		s.sendEvents(resync(4)).sendEvents(snapshotOf(4, "a")...).sendEvents(upserted(5, "d")).hang()
	})
	c := startWatch(t, client, ports.WatchOptions{Resync: true})
	c.requireSteps("snapshot 5 a", "snapshot 5 b", "synced 5 ", "resync 4 ", "snapshot 4 a", "deleted 4 b", "synced 4 ", "upserted 5 d")
}

// A connection without a complete revision is no progress: the backoff grows, so a second
// has few connections.
func TestConnectionsWithoutProgressBackOff(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for timeouts")
	}
	cfg := fastRetries()
	cfg.MaxBackoff = time.Hour
	client, requests := scriptedClient(t, cfg,
		func(s exchange) { s.openStream("s").sendEvents(snapshotOf(5)...).dropConnection() },
		func(s exchange) { s.openStream("s").sendEvents(notLast(upserted(6, "a"))).dropConnection() },
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
