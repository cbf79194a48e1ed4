package etcdstore_test

import (
	"context"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// forwardFunc forwards the responses of the n-th watch, from 1, that a client has opened.
// The channel closes when it returns; open opens the watch itself.
type forwardFunc func(ctx context.Context, n int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse)

// faultyWatcher injects faults into the watches of a client.
type faultyWatcher struct {
	clientv3.Watcher
	pass   forwardFunc
	opened atomic.Int64
}

// wrapWatcher puts forward between the client and its watches.
func wrapWatcher(client *clientv3.Client, pass forwardFunc) *faultyWatcher {
	w := &faultyWatcher{Watcher: client.Watcher, pass: pass}
	client.Watcher = w
	return w
}

func (w *faultyWatcher) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	n := int(w.opened.Add(1))
	out := make(chan clientv3.WatchResponse)
	go func() {
		defer close(out)
		w.pass(ctx, n, func() clientv3.WatchChan { return w.Watcher.Watch(ctx, key, opts...) }, out)
	}()
	return out
}

// forwardAll forwards every response until the watch ends.
func forwardAll(ctx context.Context, in clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
	for resp := range in {
		if !forwardOne(ctx, resp, out) {
			return
		}
	}
}

func forwardOne(ctx context.Context, resp clientv3.WatchResponse, out chan<- clientv3.WatchResponse) bool {
	select {
	case out <- resp:
		return true
	case <-ctx.Done():
		return false
	}
}

// discardAll receives every response and forwards none.
func discardAll(in clientv3.WatchChan) {
	for range in { // no response is forwarded
	}
}
