package etcdstore_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// inserts are the writes that require an absent game.
var inserts = map[string]func(ctx context.Context, r fixture) error{
	"record": func(ctx context.Context, r fixture) error { return r.Upsert(ctx, removedRecord("new")) },
	"record with an operation id": func(ctx context.Context, r fixture) error {
		_, err := r.Put(ctx, ports.PutInput{Record: removedRecord("new"), Origin: ports.Origin{OperationID: opID}})
		return err
	},
	"intent": func(ctx context.Context, r fixture) error {
		_, err := r.PutIntent(ctx, operation.Intent{GameID: "new"}, ports.IntentVersion{})
		return err
	},
}

// deleteRemoved removes the game, which may have no record, and deletes it.
func (r fixture) deleteRemoved(gameID string) {
	r.t.Helper()
	r.put(removedRecord(gameID))
	require.NoError(r.t, r.Delete(r.t.Context(), ports.DeleteInput{GameID: gameID}))
}

// inBucketOf returns another game whose deletions write the same key.
func inBucketOf(gameID string) string {
	keys := layout.NewKeys("")
	for n := 0; ; n++ {
		if other := fmt.Sprint("other-", n); keys.DeletionEpoch(other) == keys.DeletionEpoch(gameID) {
			return other
		}
	}
}

// TestLateInsertOfADeletedGame has etcd execute the first try of an insert after the retry was
// applied and the game deleted.
func TestLateInsertOfADeletedGame(t *testing.T) { inEveryMode(t, testLateInsertOfADeletedGame) }

func testLateInsertOfADeletedGame(t *testing.T) {
	for name, insert := range inserts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			before := r.keys()
			var late faultkv.Send
			r.faults.OnFirstWrite(func(_ context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
				late = send
				return nil, faultkv.ErrConnectionLost
			})
			require.NoError(t, insert(t.Context(), r.fixture))
			r.others.deleteRemoved("new")
			resp, err := late(t.Context())
			require.NoError(t, err)
			require.False(t, resp.Succeeded, "the insert is applied a second time")
			require.Equal(t, before, r.keys())
			require.NoError(t, insert(t.Context(), r.fixture), "a new insert")
			r.requireClean()
		})
	}
}

// TestAmbiguousInsertOfADeletedGame loses the response of an insert whose game is deleted
// before the retry. Nothing proves whether it was applied, and it is not applied a second time.
func TestAmbiguousInsertOfADeletedGame(t *testing.T) {
	inEveryMode(t, testAmbiguousInsertOfADeletedGame)
}

func testAmbiguousInsertOfADeletedGame(t *testing.T) {
	for name, insert := range inserts {
		for between, isReinserted := range map[string]bool{"deleted": false, "deleted and inserted": true} {
			t.Run(name+", "+between, func(t *testing.T) {
				t.Parallel()
				r := newFaultyFixture(t)
				var want []string
				r.faults.OnFirstWrite(faultkv.LoseReply(func() {
					r.others.deleteRemoved("new")
					if isReinserted {
						r.others.put(stoppedRecord("new"))
						r.others.putIntent(operation.Intent{GameID: "new"}, ports.IntentVersion{})
					}
					want = r.others.keys()
				}))
				require.ErrorIs(t, insert(t.Context(), r.fixture), runtime.ErrOutcomeUnknown)
				require.Equal(t, want, r.keys())
				r.requireClean()
			})
		}
	}
}

// TestInsertNextToADeletion deletes another game of the bucket before the only try of an
// insert: the insert is repeated, once.
func TestInsertNextToADeletion(t *testing.T) { inEveryMode(t, testInsertNextToADeletion) }

func testInsertNextToADeletion(t *testing.T) {
	for name, insert := range inserts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			r.faults.OnFirstWrite(func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
				r.others.deleteRemoved(inBucketOf("new"))
				return send(ctx)
			})
			require.NoError(t, insert(t.Context(), r.fixture))
			require.Equal(t, 2, r.faults.Writes())
			r.requireClean()
		})
	}
}

// TestFencedInsertNextToADeletion revokes the fence at the same time.
func TestFencedInsertNextToADeletion(t *testing.T) {
	t.Parallel()
	r := newFaultyFixture(t)
	fence := node.Fence{Key: r.prefix + "/leaders/eu", CreateRevision: r.putRaw("/leaders/eu", "me")}
	r.faults.OnFirstWrite(func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		r.others.deleteRemoved(inBucketOf("new"))
		r.deleteRaw("/leaders/eu")
		return send(ctx)
	})
	_, err := r.PutIntent(t.Context(), operation.Intent{GameID: "new"}, ports.IntentVersion{}, fence)
	require.ErrorIs(t, err, runtime.ErrFenced)
}
