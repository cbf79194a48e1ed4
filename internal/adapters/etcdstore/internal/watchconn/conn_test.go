package watchconn

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// fakeEtcd is a cluster at a revision, whose watches are channels of the test.
type fakeEtcd struct {
	clientv3.KV
	clientv3.Watcher

	revision         int64
	responses        chan clientv3.WatchResponse
	progressRequests int
}

func (f *fakeEtcd) Get(context.Context, string, ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	return &clientv3.GetResponse{Header: &etcdserverpb.ResponseHeader{Revision: f.revision}}, nil
}

func (f *fakeEtcd) Watch(context.Context, string, ...clientv3.OpOption) clientv3.WatchChan {
	return f.responses
}

func (f *fakeEtcd) RequestProgress(context.Context) error {
	f.progressRequests++
	return nil
}

func newSource(f *fakeEtcd) *Source {
	client := &clientv3.Client{KV: f, Watcher: f}
	return &Source{
		Etcd:    etcd.NewClient(client, etcd.Options{CallTimeout: time.Minute, OperationTimeout: time.Minute}),
		Watcher: client, Prefix: "/runtimes/", ProbeKey: "/meta/schema", ProbeInterval: time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// A watch may end while its idle Conn is probed. A progress request then would make the client
// open a new stream that is never closed.
func TestClosedWatchGetsNoProgressRequest(t *testing.T) {
	t.Parallel()
	f := &fakeEtcd{revision: 7, responses: make(chan clientv3.WatchResponse)}
	close(f.responses)
	c := newSource(f).Open(t.Context(), 1, true)
	defer c.Close()
	<-c.done
	require.ErrorIs(t, c.probe(t.Context(), 1), ErrBroken, "etcd has a newer revision, and the watch cannot report its progress")
	require.Zero(t, f.progressRequests)
}

func TestIdleWatchAtTheCurrentRevisionIsAlive(t *testing.T) {
	t.Parallel()
	f := &fakeEtcd{revision: 7, responses: make(chan clientv3.WatchResponse)}
	c := newSource(f).Open(t.Context(), 7, true)
	defer close(f.responses)
	for range 3 {
		resp, err := c.Next(t.Context(), 7)
		require.NoError(t, err)
		require.Zero(t, resp)
	}
	require.Zero(t, f.progressRequests)
}

func TestIdleWatchThatReportsNoProgressFails(t *testing.T) {
	t.Parallel()
	f := &fakeEtcd{revision: 8, responses: make(chan clientv3.WatchResponse)}
	c := newSource(f).Open(t.Context(), 7, true)
	defer close(f.responses)
	_, err := c.Next(t.Context(), 7)
	require.NoError(t, err)
	require.Equal(t, 1, f.progressRequests)
	require.True(t, c.IsProgressPending())
	_, err = c.Next(t.Context(), 7)
	require.ErrorIs(t, err, ErrNoProgress)
	require.ErrorIs(t, err, ErrBroken)
}

func TestRevisionThatWentBackFailsTheWatch(t *testing.T) {
	t.Parallel()
	f := &fakeEtcd{revision: 6, responses: make(chan clientv3.WatchResponse)}
	c := newSource(f).Open(t.Context(), 7, true)
	defer close(f.responses)
	_, err := c.Next(t.Context(), 7)
	require.ErrorIs(t, err, runtime.ErrForeignRevision)
}

func TestSlowConsumerLosesTheConn(t *testing.T) {
	t.Parallel()
	f := &fakeEtcd{revision: 8, responses: make(chan clientv3.WatchResponse)}
	c := newSource(f).Open(t.Context(), 7, true)
	one := clientv3.WatchResponse{Events: make([]*clientv3.Event, 1)}
	large := clientv3.WatchResponse{Events: make([]*clientv3.Event, maxBufferedEvents+1)}
	f.responses <- large // a single response always fits
	f.responses <- one
	<-c.done
	resp, err := c.Next(t.Context(), 7)
	require.NoError(t, err)
	require.Len(t, resp.Events, maxBufferedEvents+1)
	_, err = c.Next(t.Context(), 7)
	require.ErrorIs(t, err, ErrSlowConsumer)
}

func TestIdleTimeoutGrowsUntilTheWatchHasCaughtUp(t *testing.T) {
	t.Parallel()
	source := newSource(&fakeEtcd{})
	r := source.NewReconnect()
	c := &Conn{}
	for range 10 {
		require.True(t, r.Wait(t.Context(), 1, ErrNoProgress))
		r.backoff = etcd.NewBackoff()
	}
	r.Apply(c)
	require.Equal(t, maxIdleProbes*source.ProbeInterval, c.idleTimeout)
	r.OnResponse(c, 5)
	require.Equal(t, maxIdleProbes*source.ProbeInterval, c.idleTimeout, "it has not caught up")
	r.OnResponse(c, 0)
	require.Equal(t, source.ProbeInterval, c.idleTimeout)
}
