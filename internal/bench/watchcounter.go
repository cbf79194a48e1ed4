package bench

import (
	"context"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// watchCounter is a client that counts its open watches.
type watchCounter struct {
	clientv3.Watcher
	client *clientv3.Client
	open   atomic.Int64
}

func newWatchCounter(client *clientv3.Client) *watchCounter {
	c := &watchCounter{Watcher: client.Watcher, client: clientv3.NewCtxClient(client.Ctx())}
	c.client.KV, c.client.Lease, c.client.Cluster, c.client.Maintenance = client.KV, client.Lease, client.Cluster, client.Maintenance
	c.client.Watcher = c
	return c
}

// Watch implements clientv3.Watcher. A watch counts until its context ends.
func (c *watchCounter) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	c.open.Add(1)
	context.AfterFunc(ctx, func() { c.open.Add(-1) })
	return c.Watcher.Watch(ctx, key, opts...)
}
