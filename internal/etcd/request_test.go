package etcd

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// remote keeps the transactions that are sent.
type remote struct {
	pb.KVClient
	sent []*pb.TxnRequest
}

func (r *remote) Txn(_ context.Context, txn *pb.TxnRequest, _ ...grpc.CallOption) (*pb.TxnResponse, error) {
	r.sent = append(r.sent, txn)
	return &pb.TxnResponse{Succeeded: true}, nil
}

// wrapped hides what else a KV implements, as a KV of a test does.
type wrapped struct{ clientv3.KV }

// TestEveryClientSendsTheSameTransaction sends a transaction with every operation and every
// compare by a KV that takes messages and by one that takes operations of the client library.
func TestEveryClientSendsTheSameTransaction(t *testing.T) {
	t.Parallel()
	key, end, value := []byte("key"), []byte("kez"), []byte("value")
	inner := &pb.TxnRequest{
		Compare: []*pb.Compare{
			CompareModRevision(key, 7), CompareNotModifiedSince(key, end, 7), CompareNotModifiedSince(key, nil, 7),
			CompareCreateRevision(key, 0), CompareValue(key, value), CompareValue(key, []byte{}),
		},
		Success: []*pb.RequestOp{PutOp(key, value), PutOp(key, nil), DeleteOp(key, nil), DeleteOp(key, end)},
		Failure: []*pb.RequestOp{GetOp(key, nil), GetOp(key, end), GetKeyOp(key)},
	}
	txn := &pb.TxnRequest{Compare: inner.GetCompare(), Success: []*pb.RequestOp{TxnOp(inner), TxnOp(&pb.TxnRequest{})}, Failure: inner.GetFailure()}
	var direct, converted remote
	library := &clientv3.Client{}
	for client, kv := range map[*Client]clientv3.KV{
		NewClient(&clientv3.Client{}, Options{}): NewKV(&direct, library),
		NewClient(&clientv3.Client{}, Options{}): wrapped{NewKV(&converted, library)},
	} {
		client.Raw.KV = kv
		resp, err := client.SendTxn(t.Context(), txn)
		require.NoError(t, err)
		require.True(t, resp.Succeeded)
	}
	require.Same(t, txn, direct.sent[0])
	require.NotSame(t, txn, converted.sent[0])
	require.True(t, proto.Equal(txn, converted.sent[0]), "%v\n%v", txn, converted.sent[0])
}

// TestReplacedKVIsUsed requires that a client sends nothing past a KV that has taken the place of
// the library's.
func TestReplacedKVIsUsed(t *testing.T) {
	t.Parallel()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"localhost:1"}})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	require.NotNil(t, plainKV(client), "the library's KV")
	for name, replace := range map[string]func(r *remote) clientv3.KV{
		"of another remote": func(r *remote) clientv3.KV { return clientv3.NewKVFromKVClient(r, client) },
		"wrapped":           func(r *remote) clientv3.KV { return wrapped{clientv3.NewKVFromKVClient(r, client)} },
	} {
		var r remote
		original, c := client.KV, NewClient(client, Options{})
		client.KV = replace(&r)
		for _, c := range []*Client{c, NewClient(client, Options{})} {
			_, err := c.SendTxn(t.Context(), &pb.TxnRequest{Success: []*pb.RequestOp{PutOp([]byte("key"), nil)}})
			require.NoError(t, err, name)
		}
		require.Len(t, r.sent, 2, name)
		client.KV = original
	}
}
