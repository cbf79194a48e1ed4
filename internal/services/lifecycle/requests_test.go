package lifecycle_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/fakeengine"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// countingKV counts the requests of one client to etcd.
type countingKV struct {
	clientv3.KV
	gets, readTxns, writeTxns atomic.Int64
}

func (kv *countingKV) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	kv.gets.Add(1)
	return kv.KV.Get(ctx, key, opts...)
}

func (kv *countingKV) Txn(ctx context.Context) clientv3.Txn {
	return &countingTxn{Txn: kv.KV.Txn(ctx), kv: kv}
}

// countingTxn counts one transaction when it is committed.
type countingTxn struct {
	clientv3.Txn
	kv     *countingKV
	writes bool
}

func (x *countingTxn) If(compares ...clientv3.Cmp) clientv3.Txn {
	x.Txn = x.Txn.If(compares...)
	return x
}

func (x *countingTxn) Then(ops ...clientv3.Op) clientv3.Txn {
	for _, op := range ops {
		x.writes = x.writes || !op.IsGet()
	}
	x.Txn = x.Txn.Then(ops...)
	return x
}

func (x *countingTxn) Else(ops ...clientv3.Op) clientv3.Txn {
	x.Txn = x.Txn.Else(ops...)
	return x
}

func (x *countingTxn) Commit() (*clientv3.TxnResponse, error) {
	if x.writes {
		x.kv.writeTxns.Add(1)
	} else {
		x.kv.readTxns.Add(1)
	}
	return x.Txn.Commit()
}

// Each operation costs at most this many requests to etcd: one write for the acceptance,
// for each step, for the record and for the outcome; one read of intent and record; and
// one read of the ledger for each write of the record.
func TestRequestsToEtcdPerOperation(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	kv := &countingKV{KV: client.KV}
	client.KV = kv
	machine := fakeengine.New("game:1.0.0", "game:1.0.1")
	n := nodetest.New(t, nodetest.Config{
		Client: client, MinUptime: time.Millisecond,
		NewEngine: func(store string) ports.Engine {
			return machine.Engine(fakeengine.Owner{Store: store, Region: "eu", Node: "n1"})
		},
	})
	require.NoError(t, n.Store.Ready(t.Context()), "reads are served by the cache")

	start := nodetest.StartOp("g", operation.Spec{Image: "game:1.0.0", HealthPath: operation.NoHealthCheck})
	t.Log("operation        gets  read txns  write txns  requests  limit")
	for _, step := range []struct {
		name    string
		request ports.OperationRequest
		limit   int64
	}{
		{"first start", start, 12},
		{"stop", nodetest.Op(operation.KindStop, "g"), 8},
		{"start", nodetest.Op(operation.KindStart, "g"), 9},
		{"restart", nodetest.Op(operation.KindRestart, "g"), 12},
		{"patch", ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "game:1.0.1"}, 15},
		{"stop", nodetest.Op(operation.KindStop, "g"), 8},
		{"cleanup", nodetest.Op(operation.KindCleanup, "g"), 8},
	} {
		gets, readTxns, writeTxns := kv.gets.Load(), kv.readTxns.Load(), kv.writeTxns.Load()
		n.MustExecute(step.request)
		gets, readTxns, writeTxns = kv.gets.Load()-gets, kv.readTxns.Load()-readTxns, kv.writeTxns.Load()-writeTxns
		requests := gets + readTxns + writeTxns
		t.Logf("%-15s  %4d  %9d  %10d  %8d  %5d", step.name, gets, readTxns, writeTxns, requests, step.limit)
		require.LessOrEqual(t, requests, step.limit, step.name)
	}
}
