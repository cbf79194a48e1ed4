package httpserver_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

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

// Problems of a daemon that is cut off for long state it, and what still works.
func TestProblemsOfADaemonThatIsCutOff(t *testing.T) {
	t.Parallel()
	var outage time.Duration
	s := serve(t, newFailingStore(context.DeadlineExceeded), httpserver.Config{
		StoreProvenAt: func() time.Time { return noon }, Clock: func() time.Time { return noon.Add(outage) },
	})
	require.Equal(t, "context deadline exceeded", s.send("GET", "/v1/fsck", "", "").problem(t).Detail, "an election is no outage")
	outage = time.Minute
	require.Equal(t, "the store did not respond in time; this daemon has not reached a majority of etcd's members for 1m0s: "+
		"it can neither write nor prove that a read is current. Its games continue, and reads with consistency=local return its copy",
		s.send("GET", "/v1/fsck", "", "").problem(t).Detail)
}
