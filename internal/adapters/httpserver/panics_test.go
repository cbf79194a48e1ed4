package httpserver_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/logtest"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// panickingStore is a store with a bug in each of its reads.
type panickingStore struct{ *memstore.Store }

func (panickingStore) GetVersioned(context.Context, string) (runtime.VersionedRecord, error) {
	panic(internalDetail)
}

// History panics with a value that is not comparable.
func (panickingStore) History(context.Context, string) ([]runtime.LedgerEntry, error) {
	panic([]string{internalDetail})
}

// Check aborts, by which a handler requests net/http to cut the connection.
func (p panickingStore) Check(context.Context, bool) (ports.CheckReport, error) {
	panic(http.ErrAbortHandler)
}

// ListPage returns a record that cannot be encoded as JSON.
func (panickingStore) ReadSnapshot(context.Context, ports.PageQuery) (ports.RecordSnapshot, error) {
	return nil, nil
}

func (panickingStore) ListPage(context.Context, ports.PageQuery) (ports.Page, error) {
	record := recordOf("g")
	record.CreatedAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	return ports.Page{Revision: 2, Records: []runtime.VersionedRecord{{Record: record, Revision: 2}}}, nil
}

// A handler that panics returns 500, logs the reason without sending it, and does not
// affect other requests.
func TestPanicsAreInternalErrors(t *testing.T) {
	t.Parallel()
	var log logtest.Buffer
	f := startWithStore(t, panickingStore{memstore.New()}, httpserver.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c := contractOf(t, f)
	for _, path := range []string{"/v1/runtimes/g", "/v1/runtimes/g/history"} {
		got := f.send("GET", path, "", "")
		require.Equal(t, http.StatusInternalServerError, got.StatusCode, got.body)
		require.Equal(t, api.CodeInternal, got.problem(t).Code)
		require.NotContains(t, got.body, internalDetail)
		c.requireDocumented(t, "GET", path, got)
		require.Contains(t, log.String(), internalDetail)
	}
	require.Equal(t, 200, f.send("GET", "/v1/cluster", "", "").StatusCode, "the server continues to serve")
	require.Contains(t, f.send("GET", "/metrics", "", "").body, `rtmanager_http_requests_total{code="500",method="GET",route="/v1/runtimes/{game_id}"} 1`)
}

// A response that cannot be encoded is an internal error, not a truncated document.
func TestResponseThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	f := startWithStore(t, panickingStore{memstore.New()}, httpserver.Config{})
	got := f.send("GET", "/v1/runtimes", "", "")
	require.Equal(t, http.StatusInternalServerError, got.StatusCode, got.body)
	require.Equal(t, api.CodeInternal, got.problem(t).Code)
}

// A response that is aborted must not look complete.
func TestAbortedHandlerCutsTheResponse(t *testing.T) {
	t.Parallel()
	f := startWithStore(t, panickingStore{memstore.New()}, httpserver.Config{})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+f.addr+"/v1/fsck", nil)
	require.NoError(t, err)
	response, err := client.Do(request)
	if err == nil {
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		require.Error(t, err, "the response %s has the complete body %q", response.Status, text)
	}
	require.Equal(t, 200, f.send("GET", "/v1/cluster", "", "").StatusCode, "the server continues to serve")
}
