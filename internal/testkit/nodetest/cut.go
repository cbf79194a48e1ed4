package nodetest

import (
	"context"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"galaxy/rtmanager/internal/ports"
)

// Cut parts the node from etcd: whatever it asks fails, its lease runs out. It
// works on as it can. Only a node with a client of its own can be cut.
func (n *Node) Cut() { n.link.cut.Store(true) }

// Mend undoes Cut.
func (n *Node) Mend() { n.link.cut.Store(false) }

// Kill ends the node as a loss of power does: nothing is given back, and the
// presence stands until its lease runs out. Its games run on, for Revive to find.
func (n *Node) Kill() {
	n.Cut()
	n.halt()
	_ = n.Service.Close()
	_ = n.Member.Close()
}

// Revive returns the next daemon of a node that was killed. Its workers do nothing
// before Run.
func (n *Node) Revive() *Node {
	n.t.Helper()
	cfg := n.Config
	cfg.Client, cfg.Wrap = nil, nil
	cfg.Engine = func(string) ports.Engine { return n.Engine }
	return New(n.t, cfg)
}

// link is what can be cut between a client and its etcd.
type link struct{ cut atomic.Bool }

// newLink puts a link into the client.
func newLink(client *clientv3.Client) *link {
	l := &link{}
	client.KV, client.Lease = linkedKV{client.KV, l}, linkedLease{client.Lease, l}
	return l
}

func (l *link) err() error {
	if l.cut.Load() {
		return status.Error(codes.Unavailable, "the test has cut this node off")
	}
	return nil
}

type linkedKV struct {
	clientv3.KV
	link *link
}

func (kv linkedKV) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	if err := kv.link.err(); err != nil {
		return nil, err
	}
	return kv.KV.Get(ctx, key, opts...)
}

func (kv linkedKV) Put(ctx context.Context, key, value string, opts ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	if err := kv.link.err(); err != nil {
		return nil, err
	}
	return kv.KV.Put(ctx, key, value, opts...)
}

func (kv linkedKV) Delete(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.DeleteResponse, error) {
	if err := kv.link.err(); err != nil {
		return nil, err
	}
	return kv.KV.Delete(ctx, key, opts...)
}

func (kv linkedKV) Do(ctx context.Context, op clientv3.Op) (clientv3.OpResponse, error) {
	if err := kv.link.err(); err != nil {
		return clientv3.OpResponse{}, err
	}
	return kv.KV.Do(ctx, op)
}

func (kv linkedKV) Txn(ctx context.Context) clientv3.Txn {
	return &linkedTxn{kv.KV.Txn(ctx), kv.link}
}

type linkedTxn struct {
	clientv3.Txn
	link *link
}

func (x *linkedTxn) If(compares ...clientv3.Cmp) clientv3.Txn {
	x.Txn = x.Txn.If(compares...)
	return x
}

func (x *linkedTxn) Then(ops ...clientv3.Op) clientv3.Txn {
	x.Txn = x.Txn.Then(ops...)
	return x
}

func (x *linkedTxn) Else(ops ...clientv3.Op) clientv3.Txn {
	x.Txn = x.Txn.Else(ops...)
	return x
}

func (x *linkedTxn) Commit() (*clientv3.TxnResponse, error) {
	if err := x.link.err(); err != nil {
		return nil, err
	}
	return x.Txn.Commit()
}

type linkedLease struct {
	clientv3.Lease
	link *link
}

func (l linkedLease) Grant(ctx context.Context, ttl int64) (*clientv3.LeaseGrantResponse, error) {
	if err := l.link.err(); err != nil {
		return nil, err
	}
	return l.Lease.Grant(ctx, ttl)
}

func (l linkedLease) Revoke(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseRevokeResponse, error) {
	if err := l.link.err(); err != nil {
		return nil, err
	}
	return l.Lease.Revoke(ctx, id)
}

func (l linkedLease) KeepAliveOnce(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	if err := l.link.err(); err != nil {
		return nil, err
	}
	return l.Lease.KeepAliveOnce(ctx, id)
}
