package etcdmembers_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// TestFullEtcd fills etcd up: who is there stays there and goes on leading, who
// comes is told why it cannot join, and leaving works.
func TestFullEtcd(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t, etcdtest.Quota(256<<10))
	r := rig{t: t, etcd: server.Client(), prefix: etcdtest.Prefix(t)}
	client, renewed := server.Client(), make(chan struct{}, 10_000)
	client.Lease = countedLease{client.Lease, renewed}
	m := r.join(r.registry(client, shortTTL), self("n1"))
	l := lead(t, m, "eu")
	receive(t, l.begun, "a leadership")
	fence := fenceOf(t, m)
	for full := false; !full; {
		_, err := r.etcd.Put(t.Context(), r.prefix+"/filler", strings.Repeat("x", 64<<10))
		full = err != nil
	}
	_, err := r.registry(server.Client(), shortTTL).Join(t.Context(), self("n2"))
	require.ErrorIs(t, err, runtime.ErrReadOnly)
	require.ErrorContains(t, err, "compacting", "the error has to say what to do")
	for range 12 { // a quarter of the TTL lies between two
		receive(t, renewed, "a renewal")
	}
	require.Equal(t, fence, fenceOf(t, m))
	require.Empty(t, l.ended)
	l.leave()
	require.Error(t, receive(t, l.result, "Lead"))
	_, found := r.leader("eu")
	require.False(t, found, "resigning takes no space")
	require.NoError(t, m.Close())
	require.Empty(t, r.names())
}

// countedLease tells of every renewal.
type countedLease struct {
	clientv3.Lease
	renewed chan struct{}
}

func (c countedLease) KeepAliveOnce(ctx context.Context, lease clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	resp, err := c.Lease.KeepAliveOnce(ctx, lease)
	if err == nil {
		c.renewed <- struct{}{}
	}
	return resp, err
}
