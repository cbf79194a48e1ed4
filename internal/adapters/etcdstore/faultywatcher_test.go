package etcdstore_test

import (
	"context"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// passOn hands on the responses of the n-th watch, from 1, that a client has
// opened. The channel that it returns closes when it returns; open opens the
// watch itself.
type passOn func(ctx context.Context, n int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse)

// faultyWatcher stands between the store and etcd's watches.
type faultyWatcher struct {
	clientv3.Watcher
	pass   passOn
	opened atomic.Int64
}

// watchThrough puts pass between the client and what it watches.
func watchThrough(client *clientv3.Client, pass passOn) *faultyWatcher {
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

// passAll hands everything on until the watch ends.
func passAll(ctx context.Context, in clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
	for resp := range in {
		if !passOne(ctx, resp, out) {
			return
		}
	}
}

func passOne(ctx context.Context, resp clientv3.WatchResponse, out chan<- clientv3.WatchResponse) bool {
	select {
	case out <- resp:
		return true
	case <-ctx.Done():
		return false
	}
}

// swallowAll takes everything and hands nothing on.
func swallowAll(in clientv3.WatchChan) {
	for range in { // nothing of it is handed on
	}
}
