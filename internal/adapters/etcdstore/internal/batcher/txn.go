package batcher

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/etcd"
)

// Txn is one transaction that can be sent alone or in a batch, any number of times.
type Txn struct {
	// Game is what the transaction writes; a batch contains each game once, because etcd
	// rejects a transaction that puts a key twice.
	Game string
	// SharedKey is a key that the transaction puts and that those of other games put as well,
	// empty for none. A batch contains each such key once.
	SharedKey string
	// Request is not changed any more.
	Request *pb.TxnRequest
	// Bytes is the estimated size of the request.
	Bytes int
}

// longestList returns the number of operations that etcd counts.
func (t *Txn) longestList() int {
	return max(len(t.Request.GetCompare()), len(t.Request.GetSuccess()), len(t.Request.GetFailure()))
}

// SendDirect sends the transaction alone, once.
func (t *Txn) SendDirect(ctx context.Context, client *etcd.Client) (*clientv3.TxnResponse, error) {
	return etcd.TryOnce(ctx, client, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return client.SendTxn(ctx, t.Request)
	})
}
