package httpserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// Each way to give the client's revision, with a store in which revisions 2 to 5 put
// the games g2 to g5.
func TestWatchResumes(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for _, id := range []string{"g2", "g3", "g4", "g5"} {
		require.NoError(t, f.store.Upsert(t.Context(), recordOf(id)))
	}
	for _, resume := range []struct {
		query, headers string
		want           []string
	}{
		{"?from_revision=3", "", []string{"upserted g4 4", "upserted g5 5"}},
		{"?from_revision=1", "", []string{"upserted g2 2", "upserted g3 3"}},
		{"", "Last-Event-ID: 3\r\n", []string{"upserted g4 4", "upserted g5 5"}},
		{"", "Last-Event-ID: 3@" + f.storeID() + "\r\n", []string{"upserted g4 4", "upserted g5 5"}},
		{"?from_revision=1", "Last-Event-ID: 4\r\n", []string{"upserted g5 5"}},
		{"?from_revision=4", "Last-Event-ID: 2\r\n", []string{"upserted g3 3"}},
		{"?from_revision=4", "Last-Event-ID: 0\r\n", []string{"snapshot g2 5"}},
		{"?from_revision=4&resync=true&store=" + f.storeID(), "", []string{"upserted g5 5"}},
		{"?from_revision=0", "", []string{"snapshot g2 5"}},
		{"", "Last-Event-ID: \r\n", []string{"snapshot g2 5"}},
	} {
		for _, form := range bothFormats {
			f.watch(resume.query, resume.headers+form).expect(resume.want...)
		}
	}
}

// A browser reconnects with the id of its last event, perhaps to a server of another store,
// whose revisions mean something else.
func TestEventIDOfAnotherStoreIsNotResumed(t *testing.T) {
	t.Parallel()
	before, after := start(t, httpserver.Config{}), start(t, httpserver.Config{OpenDelay: testTimeout})
	for _, id := range []string{"g2", "g3"} {
		require.NoError(t, before.store.Upsert(t.Context(), recordOf(id)))
		require.NoError(t, after.store.Upsert(t.Context(), recordOf("new-"+id)))
	}
	s := before.watch("?from_revision=1", "")
	s.next()
	id := "Last-Event-ID: " + s.next().id + "\r\n"

	for _, form := range bothFormats {
		before.watch("?from_revision=1", id+form).expect() // resumes
		after.watch("?resync=true", id+form).expect("resync 3", "snapshot new-g2 3", "snapshot new-g3 3", "synced 3")
	}
	for query, reason := range map[string]ports.ResyncReason{
		"from_revision=2&store=" + before.storeID(): ports.ResyncOtherStore,
		"store=" + before.storeID():                 ports.ResyncOtherStore,
		"from_revision=99":                          ports.ResyncFutureRevision,
	} {
		for _, form := range bothFormats {
			resync := after.watch("?resync=true&"+query, form)
			first := resync.next()
			require.Equal(t, reason, first.Reason, first.raw)
			require.Equal(t, string(ports.EventResync), first.Type, first.raw)
			resync.expect("snapshot new-g2 3", "snapshot new-g3 3", "synced 3")
		}
		require.Equal(t, 400, after.send("GET", "/v1/watch?"+query, "", "").StatusCode, "without resync=true it is an error")
	}
	rejected := after.send("GET", "/v1/watch", id, "")
	require.Equal(t, 410, rejected.StatusCode, rejected.body)
	require.Equal(t, api.CodeForeignRevision, decodeAs[api.Problem](t, rejected.body).Code)
	contractOf(t, after).requireDocumented(t, "GET", "/v1/watch", rejected)
}

// At the current revision there is no event until a change, but the status 200 is sent.
func TestWatchFromTheCurrentRevision(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g2")))
	s := f.watch("?from_revision=2", "")
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g3")))
	s.expect("upserted g3 3")
}

// One revision may have changes of many games. A client that resumes from the id of a
// server-sent event must have received all of them.
func TestWatchNamesARevisionOnlyOnceItIsComplete(t *testing.T) {
	t.Parallel()
	change := func(id string, revision int64, last bool) watchStep {
		record := recordOf(id)
		return watchStep{event: ports.RuntimeEvent{Type: ports.EventUpserted, Revision: revision, GameID: id, After: &record, Last: last}}
	}
	scripted := newScriptedStore(change("a", 7, false), change("b", 7, false), change("c", 7, true), change("d", 8, true), change("e", 9, false))
	f := startWithStore(t, scripted, httpserver.Config{})
	s := f.watch("", "")
	info, err := scripted.Info(t.Context())
	require.NoError(t, err)
	store := "@" + info.ID
	for _, want := range []string{"a ", "b ", "c 7" + store, "d 8" + store, "e "} {
		e := s.next()
		require.Equal(t, want, e.GameID+" "+e.id, e.raw)
	}
	lines := f.watch("", ndjson)
	for _, want := range []bool{false, false, true, true, false} {
		e := lines.next()
		require.Equal(t, want, e.Last, e.raw)
	}
}
