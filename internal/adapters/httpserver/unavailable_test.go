package httpserver_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// An error with a public reason keeps its text; others may contain internals.
func TestReasonOfAnUnavailableStore(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("check: %w", &runtime.UnavailableError{Reason: "compacted 8 times"}), "store is unavailable: compacted 8 times"},
		{fmt.Errorf("%w: dial tcp 10.0.0.1", runtime.ErrUnavailable), "store is unavailable"},
	} {
		s := serve(t, newFailingStore(row.err), httpserver.Config{})
		require.Equal(t, row.want, s.send("GET", "/v1/fsck", "", "").problem(t).Detail)
	}
}

// The check of the store names why etcd does not respond.
func TestReadinessNamesTheFailureOfTheStore(t *testing.T) {
	t.Parallel()
	store := &interruptedStore{Store: memstore.New()}
	store.isDown.Store(true)
	s := serve(t, store, httpserver.Config{StoreFailure: func() error { return errors.New("http://a is unreachable: connection refused") }})
	require.Contains(t, s.send("GET", "/readyz", "", "").body, "store is unavailable: http://a is unreachable: connection refused")
}
