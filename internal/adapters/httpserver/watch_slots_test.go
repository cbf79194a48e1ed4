package httpserver_test

import (
	"context"
	"iter"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

func TestStreamsAreLimited(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{MaxStreams: 2})
	c := contractOf(t, f)
	first, second := f.watch("", ""), f.watch("", ndjson)
	first.expect("synced 1")
	second.expect("synced 1")

	rejected := f.send("GET", "/v1/watch", "", "")
	require.Equal(t, http.StatusTooManyRequests, rejected.StatusCode, rejected.body)
	require.Equal(t, api.CodeTooManyStreams, rejected.problem(t).Code)
	require.Equal(t, "1", rejected.Header.Get("Retry-After"))
	c.requireDocumented(t, "GET", "/v1/watch", rejected)
	require.Equal(t, 200, f.send("HEAD", "/v1/watch", "", "").StatusCode, "HEAD needs no slot")
	require.Equal(t, 200, f.send("GET", "/v1/runtimes", "", "").StatusCode, "only streams are limited")

	require.NoError(t, first.conn.Close())
	require.Eventually(t, func() bool { return f.metric("rtmanager_watch_streams") == "1" }, testTimeout, tick, "the closed stream releases its slot")
	f.watch("", "").expect("synced 1")
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	second.expect("upserted g 2")
}

// A disconnect of the client ends the store's watch in any state.
func TestClientThatLeavesEndsTheStoresWatch(t *testing.T) {
	t.Parallel()
	record := recordOf("g")
	endless := make([]watchStep, 10_000)
	for i := range endless {
		endless[i] = watchStep{event: ports.RuntimeEvent{Type: ports.EventUpserted, Revision: int64(i + 2), GameID: "g", After: &record, Last: true}}
	}
	for name, steps := range map[string][]watchStep{"idle": nil, "idle after an event": endless[:1], "busy": endless} {
		for _, headers := range bothFormats {
			store := newScriptedStore(steps...)
			f := startWithStore(t, store, httpserver.Config{})
			s := f.watch("", headers)
			require.Eventually(t, func() bool { return store.open.Load() == 1 }, testTimeout, tick, "%s: the store is watched", name)
			require.NoError(t, s.conn.Close())
			require.Eventually(t, func() bool { return store.open.Load() == 0 }, testTimeout, tick, "%s: the watch ends with its client", name)
			require.Eventually(t, func() bool { return f.metric("rtmanager_watch_streams") == "0" }, testTimeout, tick, "%s: the stream has ended", name)
		}
	}
}

// lingeringStore is a store whose watches take some time to end.
type lingeringStore struct {
	*memstore.Store
	canceled, release chan struct{}
}

func (s *lingeringStore) Watch(ctx context.Context, _ ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		<-ctx.Done()
		close(s.canceled)
		<-s.release
		yield(ports.RuntimeEvent{}, ctx.Err())
	}
}

// A stream releases its slot only when the store's watch has ended: otherwise clients
// that reconnect could open more watches than the limit.
func TestStreamsWaitForTheStoresWatch(t *testing.T) {
	t.Parallel()
	store := &lingeringStore{memstore.New(), make(chan struct{}), make(chan struct{})}
	f := startWithStore(t, store, httpserver.Config{MaxStreams: 1})
	require.NoError(t, f.watch("", "").conn.Close())
	<-store.canceled
	for range 20 {
		rejected := f.send("GET", "/v1/watch", "", "")
		require.Equal(t, http.StatusTooManyRequests, rejected.StatusCode, rejected.body)
	}
	close(store.release)
	require.Eventually(t, func() bool { return f.metric("rtmanager_watch_streams") == "0" }, testTimeout, tick, "the stream is over")
}

// The options of the request reach the store unchanged.
func TestWatchForwardsItsOptions(t *testing.T) {
	t.Parallel()
	store := newScriptedStore()
	f := startWithStore(t, store, httpserver.Config{})
	f.watch("?from_revision=7&status=stopped&region=eu%20west&node=n%2F1&game_id=%F0%9F%8E%AE&resync=true&store=abc", "")
	require.Eventually(t, func() bool { return store.options.Load() != nil }, testTimeout, tick, "the store is watched")
	require.Equal(t, ports.WatchOptions{FromRevision: 7, RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{"stopped"}, Regions: []string{"eu west"}, Nodes: []string{"n/1"}}, GameID: "🎮", Resync: true, Store: "abc"}, *store.options.Load())
}
