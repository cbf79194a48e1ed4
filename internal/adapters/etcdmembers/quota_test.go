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

// TestSpaceQuotaExhausted fills etcd: a present node stays present and keeps leading, a
// new node fails to join with an error that names the remedy, and leaving works.
func TestSpaceQuotaExhausted(t *testing.T) {
	t.Parallel()
	skipExpiry(t)
	server := etcdtest.Start(t, etcdtest.Quota(256<<10))
	f := fixture{t: t, etcd: server.Client(), prefix: etcdtest.Prefix(t)}
	client, renewed := server.Client(), make(chan struct{}, 10_000)
	client.Lease = countedLease{client.Lease, renewed}
	m := f.join(f.registry(client, 2*shortTTL), newNode("n1"))
	c := startCampaign(t, m, "eu")
	receive(t, c.started, "a leadership")
	fence := fenceOf(t, m)
	for full := false; !full; {
		_, err := f.etcd.Put(t.Context(), f.prefix+"/filler", strings.Repeat("x", 64<<10))
		full = err != nil
	}
	_, err := f.registry(server.Client(), shortTTL).Join(t.Context(), newNode("n2"))
	require.ErrorIs(t, err, runtime.ErrReadOnly)
	require.ErrorContains(t, err, "compact and defragment etcd", "the error must name the remedy")
	for range 12 { // a renewal each quarter of the TTL
		receive(t, renewed, "a renewal")
	}
	require.Equal(t, fence, fenceOf(t, m))
	require.Empty(t, c.causes)
	c.cancel()
	require.Error(t, receive(t, c.result, "the result of Lead"))
	_, found := f.leader("eu")
	require.False(t, found, "a resignation needs no space")
	require.NoError(t, m.Close())
	require.Empty(t, f.names())
}

// countedLease sends to renewed after every renewal.
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
