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

// Each operation costs exactly this many requests to etcd, one after the other: one read of
// intent and record; one write that accepts it at its first step; one for each later step
// that is stored, for each write of the record, and for the outcome.
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
	t.Log("operation        gets  read txns  write txns  requests  expected")
	for _, step := range []struct {
		name     string
		request  ports.OperationRequest
		requests int
	}{
		{"first start", start, 5},
		{"stop", nodetest.Op(operation.KindStop, "g"), 4},
		{"start", nodetest.Op(operation.KindStart, "g"), 4},
		{"restart", nodetest.Op(operation.KindRestart, "g"), 6},
		{"patch", ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "game:1.0.1"}, 8},
		{"stop", nodetest.Op(operation.KindStop, "g"), 4},
		{"cleanup", nodetest.Op(operation.KindCleanup, "g"), 4},
	} {
		before := kv.Counts()
		n.MustExecute(step.request)
		after := kv.Counts()
		requests := after.Total() - before.Total()
		t.Logf("%-15s  %4d  %9d  %10d  %8d  %8d", step.name, after.Gets-before.Gets, after.ReadTxns-before.ReadTxns,
			after.WriteTxns-before.WriteTxns, requests, step.requests)
		require.Equal(t, step.requests, requests, step.name)
	}
}
