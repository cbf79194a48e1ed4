package etcd

import (
	"context"
	"math"
	"reflect"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// The functions below make parts of a transaction as messages of etcd's API, in one allocation
// each. clientv3.Op and clientv3.Cmp need four, and copy every key and every compare once more
// when they are sent. The messages share memory with their arguments and may be sent any number
// of times; they must not be changed.

// PutOp returns the operation that puts a key.
func PutOp(key, value []byte) *pb.RequestOp {
	m := &struct {
		op    pb.RequestOp
		union pb.RequestOp_RequestPut
		put   pb.PutRequest
	}{}
	m.put.Key, m.put.Value = key, value
	m.union.RequestPut, m.op.Request = &m.put, &m.union
	return &m.op
}

// DeleteOp returns the operation that deletes a key, or the keys from key to end, which is nil
// for one key.
func DeleteOp(key, end []byte) *pb.RequestOp {
	m := &struct {
		op          pb.RequestOp
		union       pb.RequestOp_RequestDeleteRange
		deleteRange pb.DeleteRangeRequest
	}{}
	m.deleteRange.Key, m.deleteRange.RangeEnd = key, end
	m.union.RequestDeleteRange, m.op.Request = &m.deleteRange, &m.union
	return &m.op
}

// GetOp returns the operation that reads a key, or the keys from key to end, which is nil for
// one key.
func GetOp(key, end []byte) *pb.RequestOp { return getOp(key, end, false) }

// GetKeyOp is GetOp for one key without its value.
func GetKeyOp(key []byte) *pb.RequestOp { return getOp(key, nil, true) }

func getOp(key, end []byte, keysOnly bool) *pb.RequestOp {
	m := &struct {
		op    pb.RequestOp
		union pb.RequestOp_RequestRange
		get   pb.RangeRequest
	}{}
	m.get.Key, m.get.RangeEnd, m.get.KeysOnly = key, end, keysOnly
	m.union.RequestRange, m.op.Request = &m.get, &m.union
	return &m.op
}

// CompareModRevision compares that a key's last write has the revision; 0 is a key that does
// not exist.
func CompareModRevision(key []byte, revision int64) *pb.Compare {
	return compareModRevision(key, nil, pb.Compare_EQUAL, revision)
}

// CompareNotModifiedSince compares that no key from key to end was written after the revision,
// of those that exist. end is nil for one key.
func CompareNotModifiedSince(key, end []byte, revision int64) *pb.Compare {
	return compareModRevision(key, end, pb.Compare_LESS, revision+1)
}

func compareModRevision(key, end []byte, result pb.Compare_CompareResult, revision int64) *pb.Compare {
	m := &struct {
		compare pb.Compare
		union   pb.Compare_ModRevision
	}{}
	m.compare.Key, m.compare.RangeEnd, m.compare.Target, m.compare.Result = key, end, pb.Compare_MOD, result
	m.union.ModRevision, m.compare.TargetUnion = revision, &m.union
	return &m.compare
}

// CompareCreateRevision compares that a key was created at the revision; 0 is a key that does
// not exist.
func CompareCreateRevision(key []byte, revision int64) *pb.Compare {
	m := &struct {
		compare pb.Compare
		union   pb.Compare_CreateRevision
	}{}
	m.compare.Key, m.compare.Target = key, pb.Compare_CREATE
	m.union.CreateRevision, m.compare.TargetUnion = revision, &m.union
	return &m.compare
}

// CompareValue compares that a key exists and has the value.
func CompareValue(key, value []byte) *pb.Compare {
	m := &struct {
		compare pb.Compare
		union   pb.Compare_Value
	}{}
	m.compare.Key, m.compare.Target = key, pb.Compare_VALUE
	m.union.Value, m.compare.TargetUnion = value, &m.union
	return &m.compare
}

// TxnOp returns the operation that executes a nested transaction.
func TxnOp(txn *pb.TxnRequest) *pb.RequestOp {
	m := &struct {
		op    pb.RequestOp
		union pb.RequestOp_RequestTxn
	}{}
	m.union.RequestTxn, m.op.Request = txn, &m.union
	return &m.op
}

// txnSender is implemented by a KV that sends messages as they are; see NewKV.
type txnSender interface {
	sendTxn(ctx context.Context, txn *pb.TxnRequest) (*clientv3.TxnResponse, error)
}

// NewKV returns clientv3.NewKVFromKVClient(remote, client), by which a Client can send messages as
// they are.
func NewKV(remote pb.KVClient, client *clientv3.Client) clientv3.KV {
	return kv{KV: clientv3.NewKVFromKVClient(remote, client), remote: remote}
}

type kv struct {
	clientv3.KV
	remote pb.KVClient
}

// sendTxn is Commit of the client library.
func (k kv) sendTxn(ctx context.Context, txn *pb.TxnRequest) (*clientv3.TxnResponse, error) {
	resp, err := k.remote.Txn(ctx, txn, grpc.MaxCallRecvMsgSize(math.MaxInt32))
	if err != nil {
		return nil, clientv3.ContextError(ctx, err)
	}
	return (*clientv3.TxnResponse)(resp), nil
}

// plainKV returns the KV of a client of clientv3.New with the messages that it sends, nil if the
// client's KV is another one, such as one that a test has put in its place.
func plainKV(client *clientv3.Client) *kv {
	if client == nil || client.KV == nil || client.ActiveConnection() == nil {
		return nil
	}
	plain, remote := reflect.ValueOf(clientv3.NewKV(client)), reflect.ValueOf(client.KV)
	if plain.Type() != remote.Type() {
		return nil
	}
	// The type is also that of NewKVFromKVClient: its field is what the KV sends to.
	plain, remote = plain.Elem().FieldByName("remote"), remote.Elem().FieldByName("remote")
	if !plain.IsValid() || plain.Elem().Type() != remote.Elem().Type() {
		return nil
	}
	return &kv{KV: client.KV, remote: clientv3.RetryKVClient(client)}
}

// SendTxn sends a transaction once. The error is that of the etcd client.
func (c *Client) SendTxn(ctx context.Context, txn *pb.TxnRequest) (*clientv3.TxnResponse, error) {
	if c.plain != nil && c.Raw.KV == c.plain.KV {
		return c.plain.sendTxn(ctx, txn)
	}
	if kv, ok := c.Raw.KV.(txnSender); ok {
		return kv.sendTxn(ctx, txn)
	}
	compares, then, otherwise := clientOps(txn)
	return c.Raw.Txn(ctx).If(compares...).Then(then...).Else(otherwise...).Commit()
}

// clientOps returns the parts of a transaction for a KV that takes those of the client library.
func clientOps(txn *pb.TxnRequest) (compares []clientv3.Cmp, then, otherwise []clientv3.Op) {
	for _, compare := range txn.GetCompare() {
		compares = append(compares, clientv3.FromCompare(compare))
	}
	for _, op := range txn.GetSuccess() {
		then = append(then, clientOp(op))
	}
	for _, op := range txn.GetFailure() {
		otherwise = append(otherwise, clientOp(op))
	}
	return compares, then, otherwise
}

func clientOp(op *pb.RequestOp) clientv3.Op {
	switch request := op.GetRequest().(type) {
	case *pb.RequestOp_RequestTxn:
		return clientv3.OpTxn(clientOps(request.RequestTxn))
	case *pb.RequestOp_RequestPut:
		return withKey(clientv3.OpPut("", string(request.RequestPut.GetValue())), request.RequestPut.GetKey(), nil)
	case *pb.RequestOp_RequestDeleteRange:
		return withKey(clientv3.OpDelete(""), request.RequestDeleteRange.GetKey(), request.RequestDeleteRange.GetRangeEnd())
	default:
		get := op.GetRequestRange()
		var options []clientv3.OpOption
		if get.GetKeysOnly() {
			options = append(options, clientv3.WithKeysOnly())
		}
		return withKey(clientv3.OpGet("", options...), get.GetKey(), get.GetRangeEnd())
	}
}

func withKey(op clientv3.Op, key, end []byte) clientv3.Op {
	op.WithKeyBytes(key)
	op.WithRangeBytes(end)
	return op
}
