package httpserver_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

func TestNewRejectsInvalidConfig(t *testing.T) {
	t.Parallel()
	_, err := httpserver.New(nil, httpserver.Config{})
	require.ErrorContains(t, err, "store")
	for name, cfg := range map[string]httpserver.Config{
		"Heartbeat": {Heartbeat: -1}, "WriteTimeout": {WriteTimeout: -1}, "RequestTimeout": {RequestTimeout: -1}, "CheckTimeout": {CheckTimeout: -1},
		"HeaderTimeout": {HeaderTimeout: -1}, "BodyTimeout": {BodyTimeout: -1}, "DrainTimeout": {DrainTimeout: -1}, "MaxStreams": {MaxStreams: -1},
	} {
		_, err := httpserver.New(memstore.New(), cfg)
		require.ErrorContains(t, err, name)
	}
	registry := prometheus.NewRegistry()
	_, err = httpserver.New(memstore.New(), httpserver.Config{Registry: registry})
	require.NoError(t, err)
	_, err = httpserver.New(memstore.New(), httpserver.Config{Registry: registry})
	require.Error(t, err, "two servers cannot share a registry")
}

// unavailableStore is a store that cannot be reached.
type unavailableStore struct{ *memstore.Store }

func (unavailableStore) Revision(context.Context) (int64, error) { return 0, runtime.ErrUnavailable }
func (unavailableStore) Info(context.Context) (ports.StoreInfo, error) {
	return ports.StoreInfo{}, runtime.ErrUnavailable
}

func (unavailableStore) ReadSnapshot(context.Context, ports.PageQuery) (ports.RecordSnapshot, error) {
	return nil, nil
}

func (unavailableStore) ListPage(context.Context, ports.PageQuery) (ports.Page, error) {
	return ports.Page{}, runtime.ErrUnavailable
}

// A store that is unavailable makes the server unready but not unhealthy, and every
// route that needs the store returns an error.
func TestUnavailableStore(t *testing.T) {
	t.Parallel()
	store := unavailableStore{memstore.New()}
	f := startWithStore(t, store, httpserver.Config{})
	c := contractOf(t, f)
	require.Equal(t, 200, f.send("GET", "/healthz", "", "").StatusCode)
	require.Equal(t, 200, f.send("GET", "/metrics", "", "").StatusCode)
	unready := f.send("GET", "/readyz", "", "")
	require.Equal(t, http.StatusServiceUnavailable, unready.StatusCode)
	require.JSONEq(t, `{"status":"unready","checks":[{"name":"serving","ok":true},{"name":"store","ok":false,"error":"store is unavailable"}]}`, unready.body)
	for _, path := range []string{"/v1/cluster", "/v1/runtimes"} {
		got := f.send("GET", path, "", "")
		require.Equal(t, http.StatusServiceUnavailable, got.StatusCode, path)
		require.Equal(t, store.ID(), got.Header.Get("Rtmanager-Store"), "the identity needs no response of the store")
		c.requireDocumented(t, "GET", path, got)
	}
}

func TestClusterDescribesTheDaemon(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{Version: "1.2.3", Region: "eu", Node: "n1"})
	got := f.send("GET", "/v1/cluster", "", "")
	require.Equal(t, api.Cluster{
		APIVersion: 1, StoreID: f.storeID(), Revision: 1, SchemaVersion: 1, Version: "1.2.3", Region: "eu", Node: "n1",
		Members: []api.Member{}, Alarms: []string{},
	}, decodeAs[api.Cluster](t, got.body))
}

func TestCheckAndRepair(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	for _, call := range []struct{ method, path string }{{"GET", "/v1/fsck"}, {"POST", "/v1/fsck/repair"}} {
		got := f.send(call.method, call.path, "", "")
		require.Equal(t, 200, got.StatusCode, got.body)
		require.JSONEq(t, `{"revision":2,"clean":true,"records":1,"index_keys":1,"ledger_entries":1,"findings":[]}`, got.body)
	}
}
