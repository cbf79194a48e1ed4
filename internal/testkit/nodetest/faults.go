package nodetest

import (
	"context"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"galaxy/rtmanager/internal/ports"
)

// Partition cuts the node off from etcd: every request fails, and its lease expires. The
// node keeps running. The node must have its own client, which is the default.
func (n *Node) Partition() { n.link.cut.Store(true) }

// Reconnect ends Partition.
func (n *Node) Reconnect() { n.link.cut.Store(false) }

// Crash stops the node as a loss of power does: it releases nothing, and its session lasts
// until the lease expires. Its games keep running, and Restart finds them.
func (n *Node) Crash() {
	n.Partition()
	n.stopWorkers()
	_ = n.Service.Close()
	_ = n.Member.Close()
}

// Restart returns the next daemon of a crashed node. Its workers do nothing before Run.
func (n *Node) Restart() *Node {
	n.t.Helper()
	cfg := n.Config
	cfg.Client, cfg.WrapEngine = nil, nil
	cfg.NewEngine = func(string) ports.Engine { return n.Engine }
	return New(n.t, cfg)
}

// faultLink is the connection of a client, which can be cut.
type faultLink struct{ cut atomic.Bool }

// injectFaults wraps the requests of the client so that they fail while the link is cut.
func injectFaults(client *clientv3.Client) *faultLink {
	l := &faultLink{}
	client.KV, client.Lease = faultKV{client.KV, l}, faultLease{client.Lease, l}
	return l
}

func (l *faultLink) err() error {
	if l.cut.Load() {
		return status.Error(codes.Unavailable, "partitioned by the test")
	}
	return nil
}

type faultKV struct {
	clientv3.KV
	link *faultLink
}

func (kv faultKV) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	if err := kv.link.err(); err != nil {
		return nil, err
	}
	return kv.KV.Get(ctx, key, opts...)
}

func (kv faultKV) Put(ctx context.Context, key, value string, opts ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	if err := kv.link.err(); err != nil {
		return nil, err
	}
	return kv.KV.Put(ctx, key, value, opts...)
}

func (kv faultKV) Delete(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.DeleteResponse, error) {
	if err := kv.link.err(); err != nil {
		return nil, err
	}
	return kv.KV.Delete(ctx, key, opts...)
}

func (kv faultKV) Do(ctx context.Context, op clientv3.Op) (clientv3.OpResponse, error) {
	if err := kv.link.err(); err != nil {
		return clientv3.OpResponse{}, err
	}
	return kv.KV.Do(ctx, op)
}

func (kv faultKV) Txn(ctx context.Context) clientv3.Txn {
	return &faultTxn{kv.KV.Txn(ctx), kv.link}
}

type faultTxn struct {
	clientv3.Txn
	link *faultLink
}

func (x *faultTxn) If(compares ...clientv3.Cmp) clientv3.Txn {
	x.Txn = x.Txn.If(compares...)
	return x
}

func (x *faultTxn) Then(ops ...clientv3.Op) clientv3.Txn {
	x.Txn = x.Txn.Then(ops...)
	return x
}

func (x *faultTxn) Else(ops ...clientv3.Op) clientv3.Txn {
	x.Txn = x.Txn.Else(ops...)
	return x
}

func (x *faultTxn) Commit() (*clientv3.TxnResponse, error) {
	if err := x.link.err(); err != nil {
		return nil, err
	}
	return x.Txn.Commit()
}

type faultLease struct {
	clientv3.Lease
	link *faultLink
}

func (l faultLease) Grant(ctx context.Context, ttl int64) (*clientv3.LeaseGrantResponse, error) {
	if err := l.link.err(); err != nil {
		return nil, err
	}
	return l.Lease.Grant(ctx, ttl)
}

func (l faultLease) Revoke(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseRevokeResponse, error) {
	if err := l.link.err(); err != nil {
		return nil, err
	}
	return l.Lease.Revoke(ctx, id)
}

func (l faultLease) KeepAliveOnce(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	if err := l.link.err(); err != nil {
		return nil, err
	}
	return l.Lease.KeepAliveOnce(ctx, id)
}
