package httpserver_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// interruptedStore is a store that a test can make unavailable.
type interruptedStore struct {
	*memstore.Store
	isDown atomic.Bool
}

func (s *interruptedStore) Revision(ctx context.Context) (int64, error) {
	if s.isDown.Load() {
		return 0, runtime.ErrUnavailable
	}
	return s.Store.Revision(ctx)
}

// A short election of etcd must not make every daemon unready.
func TestReadinessToleratesAShortOutage(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	store := &interruptedStore{Store: memstore.New()}
	f := startWithStore(t, store, httpserver.Config{Clock: func() time.Time { return noon.Add(time.Duration(now.Load())) }})
	probe := func(at time.Duration) rawResponse {
		now.Store(int64(at))
		return f.send("GET", "/readyz", "", "")
	}
	require.Equal(t, http.StatusOK, probe(0).StatusCode)
	store.isDown.Store(true)
	short := probe(5 * time.Second)
	require.Equal(t, http.StatusOK, short.StatusCode, short.body)
	require.Contains(t, short.body, "store is unavailable; last known to be ok at 2026-01-01T12:00:00Z, 5s ago")
	long := probe(20 * time.Second)
	require.Equal(t, http.StatusServiceUnavailable, long.StatusCode, long.body)
	require.Contains(t, long.body, "20s ago")
	store.isDown.Store(false)
	require.Equal(t, http.StatusOK, probe(21*time.Second).StatusCode)
}
