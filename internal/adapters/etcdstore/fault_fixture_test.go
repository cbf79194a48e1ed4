package etcdstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// opID is the operation id of the write with injected faults.
const opID = "the-write"

// faultyFixture is a store with a running "game" and fault injection, and a second store
// on the same keys for other writers.
type faultyFixture struct {
	fixture
	faults *faultkv.KV
	others fixture
}

// newFaultyClient returns a client of the shared server with fault injection.
func newFaultyClient(t *testing.T) (*clientv3.Client, *faultkv.KV) {
	t.Helper()
	client := etcdtest.InProcess(t)
	return client, faultkv.Wrap(client)
}

func newFaultyFixture(t *testing.T) faultyFixture {
	t.Helper()
	return faultyFixtureOn(t, etcdtest.InProcess(t), etcdtest.InProcess(t))
}

// dedicatedFaultyFixture has a server of its own, for tests that compact.
func dedicatedFaultyFixture(t *testing.T) faultyFixture {
	t.Helper()
	server := etcdtest.Start(t)
	return faultyFixtureOn(t, server.InProcess(), server.InProcess())
}

func faultyFixtureOn(t *testing.T, client, others *clientv3.Client) faultyFixture {
	t.Helper()
	faults := faultkv.Wrap(client)
	r := newFixture(t, client, etcdstore.Options{CallTimeout: 400 * time.Millisecond, OperationTimeout: testTimeout})
	// A write during the first fill of the cache is not in it for a moment: the base of the next one
	// would be stale, and its first try would fail.
	r.waitForCache(r.put(runningRecord("game")).Revision)
	return faultyFixture{fixture: r, faults: faults, others: newFixture(t, others, etcdstore.Options{Prefix: r.prefix})}
}

// stop stops "game" under opID.
func (r faultyFixture) stop(ctx context.Context) (runtime.VersionedRecord, error) {
	return r.Transition(ctx, ports.TransitionInput{UpdateStatusInput: stopInput("game"), Origin: ports.Origin{OperationID: opID}})
}

// upsert overwrites "game" under opID.
func (r faultyFixture) upsert(ctx context.Context) (runtime.VersionedRecord, error) {
	rec := runningRecord("game")
	rec.Node = "the node of the write"
	return r.Put(ctx, ports.PutInput{Record: rec, Origin: ports.Origin{OperationID: opID}})
}

// requireApplied requires that the whole history of "game" has the write under opID n
// times, and returns its last revision.
func (r faultyFixture) requireApplied(times int, why string) int64 {
	r.t.Helper()
	var revisions []int64
	for _, ev := range r.others.historyOf("/runtimes/game") {
		if ev.Kv != nil && lastWriteOf(r.t, ev.Kv.GetValue()).ID == opID {
			revisions = append(revisions, ev.Kv.GetModRevision())
		}
	}
	require.Len(r.t, revisions, times, "times that etcd's history has the write: %s", why)
	r.others.requireClean()
	if times == 0 {
		return 0
	}
	return revisions[len(revisions)-1]
}
