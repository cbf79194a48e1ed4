package httpserver_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// servingFixture is a fixture whose server runs by Serve, as in the daemon.
type servingFixture struct {
	*fixture
	stop   context.CancelFunc // starts the shutdown
	result chan error         // of Serve
}

func serve[C config](t testing.TB, store httpserver.Store, cfg C) *servingFixture {
	t.Helper()
	api := newServer(t, store, cfg)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	s := &servingFixture{
		fixture: &fixture{t: t, api: api, addr: listener.Addr().String()},
		stop:    stop, result: make(chan error, 1),
	}
	s.store, _ = store.(*memstore.Store)
	go func() { s.result <- api.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		s.wait()
	})
	return s
}

// wait waits for Serve to return, and returns its result.
func (s *servingFixture) wait() error {
	s.t.Helper()
	select {
	case err := <-s.result:
		s.result <- err
		return err
	case <-time.After(testTimeout):
		require.Fail(s.t, "Serve has not returned")
		return nil
	}
}

// blockingStore is a memory store whose reads of one game block until open is closed.
type blockingStore struct {
	*memstore.Store
	waiting atomic.Int64
	open    chan struct{}
}

func newBlockingStore() *blockingStore {
	return &blockingStore{Store: memstore.New(), open: make(chan struct{})}
}

func (g *blockingStore) GetVersioned(ctx context.Context, id string) (runtime.VersionedRecord, error) {
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	select {
	case <-g.open:
		return g.Store.GetVersioned(ctx, id)
	case <-ctx.Done():
		return runtime.VersionedRecord{}, ctx.Err()
	}
}

// startBlocked sends a read that blocks in the store. The channel receives its status, or
// 0 if the connection is closed.
func (s *servingFixture) startBlocked(g *blockingStore) <-chan int {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { conn.Close() })
	require.NoError(s.t, conn.SetDeadline(time.Now().Add(testTimeout)))
	_, err = conn.Write([]byte("GET /v1/runtimes/g HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	require.NoError(s.t, err)
	require.Eventually(s.t, func() bool { return g.waiting.Load() == 1 }, testTimeout, tick, "the store receives the read")
	status := make(chan int, 1)
	go func() { status <- readStatus(conn) }()
	return status
}
