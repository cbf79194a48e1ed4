package lifecycle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/fakeengine"
	"galaxy/rtmanager/internal/testkit/faultkv"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// Each operation costs at most this many requests to etcd: one write for the acceptance,
// for each step, for the record and for the outcome; one read of intent and record; and
// one read of the ledger for each write of the record.
func TestRequestsToEtcdPerOperation(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	kv := faultkv.Wrap(client)
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
		limit   int
	}{
		{"first start", start, 12},
		{"stop", nodetest.Op(operation.KindStop, "g"), 8},
		{"start", nodetest.Op(operation.KindStart, "g"), 9},
		{"restart", nodetest.Op(operation.KindRestart, "g"), 12},
		{"patch", ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "game:1.0.1"}, 15},
		{"stop", nodetest.Op(operation.KindStop, "g"), 8},
		{"cleanup", nodetest.Op(operation.KindCleanup, "g"), 8},
	} {
		before := kv.Counts()
		n.MustExecute(step.request)
		after := kv.Counts()
		requests := after.Total() - before.Total()
		t.Logf("%-15s  %4d  %9d  %10d  %8d  %5d", step.name, after.Gets-before.Gets, after.ReadTxns-before.ReadTxns,
			after.WriteTxns-before.WriteTxns, requests, step.limit)
		require.LessOrEqual(t, requests, step.limit, step.name)
	}
}
