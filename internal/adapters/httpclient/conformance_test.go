package httpclient_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/storetest"
)

// remote is a client and the store that its server uses.
type remote struct {
	*httpclient.Client
	store *memstore.Store
}

// overHTTP returns a client of a new store, served on its own port. The middleware, if
// any, receives every request first.
func overHTTP(t *testing.T, cfg httpclient.Config, middleware func(http.Handler) http.Handler) remote {
	t.Helper()
	store := memstore.New()
	api, err := httpserver.New(store, httpserver.Config{})
	require.NoError(t, err)
	handler := api.Handler()
	if middleware != nil {
		handler = middleware(handler)
	}
	server := httptest.NewServer(handler)
	client, err := httpclient.New(server.URL, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, client.Close())
		server.CloseClientConnections()
		server.Close()
	})
	return remote{Client: client, store: store}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Harness{
		Open: func(t *testing.T) storetest.Store { return overHTTP(t, httpclient.Config{}, nil) },
		Compact: func(t *testing.T, store storetest.Store, revision int64) {
			require.NoError(t, store.(remote).store.Compact(revision))
		},
		Delete: func(_ *testing.T, store storetest.Store, gameID string) {
			store.(remote).store.DeleteKeys(gameID)
		},
		RejectsInvalidRecords: true,
	})
}
