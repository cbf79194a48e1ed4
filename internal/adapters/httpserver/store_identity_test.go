package httpserver_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// unresponsiveStore is a store whose members do not respond to Info.
type unresponsiveStore struct{ *memstore.Store }

func (unresponsiveStore) Info(context.Context) (ports.StoreInfo, error) {
	return ports.StoreInfo{}, runtime.ErrUnavailable
}

// A request must not query the members of the store for its identity.
func TestRequestsDoNotQueryTheStoreIdentity(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	f := startWithStore(t, unresponsiveStore{store}, httpserver.Config{})
	require.NoError(t, store.Upsert(t.Context(), recordOf("a")))
	require.NoError(t, store.Upsert(t.Context(), recordOf("b")))
	for _, path := range []string{"/v1/runtimes?limit=1", "/v1/runtimes?consistency=local", "/v1/runtimes/a", "/v1/runtimes/a/history"} {
		response := f.send(http.MethodGet, path, "", "")
		require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", path, response.body)
		require.Equal(t, store.ID(), response.Header.Get(api.HeaderStore), path)
	}
}
