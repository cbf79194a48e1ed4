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

// opID is the operation id of the write that a fault meets.
const opID = "the-write"

// faultyRig is a store with a running "game", whose requests can be meddled
// with, and a second store on the same keys, which stands for other writers.
type faultyRig struct {
	rig
	faults *faultkv.KV
	others rig
}

func newFaultyRig(t *testing.T) faultyRig {
	t.Helper()
	return faultyRigOn(t, etcdtest.InProcess(t), etcdtest.InProcess(t))
}

// lonelyFaultyRig has a server of its own, for tests that compact.
func lonelyFaultyRig(t *testing.T) faultyRig {
	t.Helper()
	server := etcdtest.Start(t)
	return faultyRigOn(t, server.InProcess(), server.InProcess())
}

func faultyRigOn(t *testing.T, client, others *clientv3.Client) faultyRig {
	t.Helper()
	faults := faultkv.Wrap(client)
	r := newRig(t, client, etcdstore.Options{CallTimeout: 400 * time.Millisecond, OperationTimeout: patience})
	r.put(runningRecord("game"))
	return faultyRig{rig: r, faults: faults, others: newRig(t, others, etcdstore.Options{Prefix: r.prefix})}
}

// stop stops "game" under opID.
func (r faultyRig) stop(ctx context.Context) (runtime.VersionedRecord, error) {
	return r.Transition(ctx, ports.TransitionInput{UpdateStatusInput: stopInput("game"), Origin: ports.Origin{OperationID: opID}})
}

// upsert overwrites "game" under opID.
func (r faultyRig) upsert(ctx context.Context) (runtime.VersionedRecord, error) {
	rec := runningRecord("game")
	rec.Node = "the node of the write"
	return r.Put(ctx, ports.PutInput{Record: rec, Origin: ports.Origin{OperationID: opID}})
}

// requireApplied wants the write under opID to have been made so many times in
// the whole history of "game", and returns the last revision of it.
func (r faultyRig) requireApplied(times int, why string) int64 {
	r.t.Helper()
	var revisions []int64
	for _, ev := range r.others.historyOf("/runtimes/game") {
		if ev.Kv != nil && lastOpOf(r.t, ev.Kv.GetValue()).ID == opID {
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
