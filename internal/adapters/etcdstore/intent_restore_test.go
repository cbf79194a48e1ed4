package etcdstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// TestIntentConflictBeyondHistory compacts what the write's version refers to. The write is
// sent once, and its response shows the current intent: it is a conflict, although the history
// of the key does not prove it.
func TestIntentConflictBeyondHistory(t *testing.T) {
	withAndWithoutCache(t, func(t *testing.T) {
		r := dedicatedFaultyFixture(t)
		require.NoError(t, r.Ready(t.Context()))
		stale := r.putIntent(operation.Intent{GameID: "game"}, ports.IntentVersion{})
		r.putIntent(operation.Intent{GameID: "once"}, ports.IntentVersion{})
		r.overwriteIntent(3)
		_, err := r.etcd.Compact(t.Context(), r.head())
		require.NoError(t, err)
		r.waitForCache(r.put(runningRecord("other")).Revision)
		for name, write := range map[string]func() error{
			"insert":    func() error { _, err := r.putMarked(t.Context(), ports.IntentVersion{}); return err },
			"overwrite": func() error { _, err := r.putMarked(t.Context(), stale); return err },
			"overwrite, no value": func() error {
				_, err := r.putMarked(t.Context(), ports.IntentVersion{Revision: stale.Revision})
				return err
			},
			"insert over one version": func() error {
				_, err := r.PutIntent(t.Context(), operation.Intent{GameID: "once"}, ports.IntentVersion{})
				return err
			},
		} {
			err := write()
			require.ErrorIs(t, err, runtime.ErrConflict, name)
			require.NotErrorIs(t, err, runtime.ErrOutcomeUnknown, name)
		}
	})
}

// TestAmbiguousIntentAfterTheRevisionWentBack executes a write on an etcd that was restored to
// a revision below the cached one, and loses the response. The cache does not know yet.
func TestAmbiguousIntentAfterTheRevisionWentBack(t *testing.T) {
	t.Parallel()
	r := dedicatedFaultyFixture(t) // other tests must not write between the revisions that it compares
	r.waitForCache(r.put(runningRecord("other")).Revision)
	seen := r.CacheStats().Revision
	restored := func(resp *clientv3.TxnResponse) *clientv3.TxnResponse {
		resp.Header.Revision -= seen
		for _, one := range resp.Responses {
			for _, kv := range one.GetResponseRange().GetKvs() {
				kv.ModRevision, kv.CreateRevision = kv.ModRevision-seen, kv.CreateRevision-seen
			}
		}
		return resp
	}
	r.faults.OnRead(func(context.Context) error { return faultkv.ErrConnectionLost })
	r.faults.OnWrite(func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		resp, err := send(ctx)
		if n == 1 {
			return nil, faultkv.ErrConnectionLost
		}
		return restored(resp), err
	})
	_, err := r.putMarked(within(t, time.Second), ports.IntentVersion{})
	require.NoError(t, err, "it was applied")
	r.faults.OnRead(nil)
	r.requireMarked(1, "applied")
}

// TestIntentIsNotWrittenToAnotherCluster connects the client to a new etcd that has taken the
// place of the store's, with keys and revisions that the compares of an intent match.
func TestIntentIsNotWrittenToAnotherCluster(t *testing.T) {
	withAndWithoutCache(t, func(t *testing.T) {
		server := etcdtest.Start(t)
		client := server.Client()
		r := newFixture(t, client, etcdstore.Options{CallTimeout: 200 * time.Millisecond, ProbeInterval: probeInterval})
		require.NoError(t, r.Ready(t.Context()))
		otherServer := etcdtest.Start(t, func(cfg *embed.Config) { cfg.InitialClusterToken = "elsewhere" })
		other := newFixture(t, otherServer.Client(), etcdstore.Options{Prefix: r.prefix})
		at := r.putIntent(operation.Intent{GameID: "game"}, ports.IntentVersion{})
		for range 20 {
			at = r.putIntent(operation.Intent{GameID: "game"}, at)
		}
		var otherAt ports.IntentVersion
		for otherAt.Revision < at.Revision {
			otherAt = other.putIntent(operation.Intent{GameID: "game"}, otherAt)
		}
		require.Equal(t, at.Revision, otherAt.Revision, "the compare of the overwrite holds there")

		client.SetEndpoints(otherServer.Endpoint())
		server.Stop()
		_, err := r.GetIntent(t.Context(), "game")
		require.ErrorIs(t, err, runtime.ErrIncompatible, "GetIntent, which finds the other cluster")
		before := other.dump()
		for _, c := range []struct {
			game     string
			replaces ports.IntentVersion
		}{{"new", ports.IntentVersion{}}, {"game", at}} {
			_, err := r.PutIntent(within(t, testTimeout), operation.Intent{GameID: c.game, Spec: operation.Spec{Image: mark}}, c.replaces)
			require.ErrorIs(t, err, runtime.ErrIncompatible, c.game)
		}
		require.Equal(t, before, other.dump(), "the other cluster was written to")
	})
}

// TestWriteAppliedByAnotherCluster reports the success of a write from another cluster: a
// backup of the store that was restored there has the same keys and revisions.
func TestWriteAppliedByAnotherCluster(t *testing.T) {
	inEveryMode(t, func(t *testing.T) {
		r := newFaultyFixture(t)
		r.put(runningRecord("second"))
		r.faults.OnWrite(func(ctx context.Context, _ int, send faultkv.Send) (*clientv3.TxnResponse, error) {
			resp, err := send(ctx)
			if err == nil {
				resp.Header.ClusterId++
			}
			return resp, err
		})
		_, err := r.putMarked(t.Context(), ports.IntentVersion{})
		require.ErrorIs(t, err, runtime.ErrOutcomeUnknown, "PutIntent")
		// No game that the intent was written of: a base older than the intent fails the compare,
		// and then nothing was applied.
		require.ErrorIs(t, r.Upsert(t.Context(), runningRecord("third")), runtime.ErrOutcomeUnknown, "Upsert")
		require.ErrorIs(t, r.UpdateStatus(t.Context(), stopInput("second")), runtime.ErrOutcomeUnknown, "UpdateStatus")
	})
}
