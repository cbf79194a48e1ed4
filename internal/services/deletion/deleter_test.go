package deletion_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/deletion"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/storetest"
)

// archive records what is archived. before is called before each game is.
type archive struct {
	games  []ports.ArchivedGame
	before func() error
}

func (a *archive) Store(_ context.Context, game ports.ArchivedGame) error {
	if a.before != nil {
		if err := a.before(); err != nil {
			return err
		}
	}
	a.games = append(a.games, game)
	return nil
}

// archivingStore is a store whose deletions go through a Deleter.
type archivingStore struct {
	*memstore.Store

	deleter *deletion.Deleter
}

func (s archivingStore) Delete(ctx context.Context, input ports.DeleteInput) error {
	return s.deleter.Delete(ctx, input)
}

type discard struct{}

func (discard) Store(context.Context, ports.ArchivedGame) error { return nil }

// A Deleter fulfills the contract of ports.RuntimeDeleter.
func TestContract(t *testing.T) {
	var elections atomic.Int64
	unwrap := func(s storetest.Store) *memstore.Store { return s.(archivingStore).Store }
	storetest.Run(t, storetest.Harness{
		Open: func(*testing.T) storetest.Store {
			store := memstore.New()
			return archivingStore{store, deletion.NewDeleter(store, discard{})}
		},
		Compact:    func(t *testing.T, s storetest.Store, revision int64) { require.NoError(t, unwrap(s).Compact(revision)) },
		Conditions: func(s storetest.Store) ports.ConditionWriter { return unwrap(s) },
		Delete:     func(_ *testing.T, s storetest.Store, gameID string) { unwrap(s).DeleteKeys(gameID) },
		Fences: &storetest.Fences{
			Grant: func(_ *testing.T, s storetest.Store) node.Fence {
				fence := node.Fence{Key: "/leaders/test", CreateRevision: 1 + elections.Add(1)}
				unwrap(s).SetFence(fence.Key, fence.CreateRevision)
				return fence
			},
			Revoke: func(_ *testing.T, s storetest.Store, fence node.Fence) { unwrap(s).DeleteFence(fence.Key) },
		},
	})
}

// removedGame inserts a game that has run, and returns the revision of its record.
func removedGame(t *testing.T, store *memstore.Store, gameID string) int64 {
	t.Helper()
	require.NoError(t, store.Upsert(t.Context(), storetest.RunningRecord(gameID)))
	after, err := store.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: storetest.TransitionInput(gameID, runtime.StatusRunning, runtime.StatusRemoved, 1)})
	require.NoError(t, err)
	return after.Revision
}

func TestGamesAreArchivedBeforeTheyAreDeleted(t *testing.T) {
	t.Parallel()
	store, kept := memstore.New(), &archive{}
	deleter := deletion.NewDeleter(store, kept)
	revision := removedGame(t, store, "a")
	require.NoError(t, store.Upsert(t.Context(), storetest.RunningRecord("running")))
	require.Error(t, deleter.Delete(t.Context(), ports.DeleteInput{GameID: "running"}))
	require.Empty(t, kept.games, "a game that may not be deleted is not archived")

	kept.before = func() error { return runtime.ErrNotArchived }
	require.ErrorIs(t, deleter.Delete(t.Context(), ports.DeleteInput{GameID: "a"}), runtime.ErrNotArchived)
	_, err := store.GetVersioned(t.Context(), "a")
	require.NoError(t, err, "the game is not deleted")

	kept.before = func() error {
		_, err := store.GetVersioned(t.Context(), "a")
		require.NoError(t, err)
		return nil
	}
	require.NoError(t, deleter.Delete(t.Context(), ports.DeleteInput{GameID: "a", Origin: ports.Origin{Actor: "ada"}}))
	require.Len(t, kept.games, 1)
	game := kept.games[0]
	require.Equal(t, revision, game.Record.Revision)
	require.Equal(t, "ada", game.Origin.Actor)
	require.Len(t, game.History, 2)
	_, err = store.GetVersioned(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrNotFound)
}

// A game that changes while it is archived is archived as it is deleted.
func TestGamesThatChangeAreArchivedOnceMore(t *testing.T) {
	t.Parallel()
	store, kept := memstore.New(), &archive{}
	deleter := deletion.NewDeleter(store, kept)
	removedGame(t, store, "a")
	changes := 0
	kept.before = func() error {
		if changes++; changes > 1 {
			return nil
		}
		require.NoError(t, store.Upsert(t.Context(), storetest.RunningRecord("a")))
		removedGame(t, store, "a")
		return nil
	}
	require.NoError(t, deleter.Delete(t.Context(), ports.DeleteInput{GameID: "a"}))
	require.Len(t, kept.games, 2)
	require.Less(t, kept.games[0].Record.Revision, kept.games[1].Record.Revision)
	require.Len(t, kept.games[1].History, 5)

	revision := removedGame(t, store, "b")
	kept.before = func() error { return store.Upsert(t.Context(), storetest.RunningRecord("b")) }
	require.ErrorIs(t, deleter.Delete(t.Context(), ports.DeleteInput{GameID: "b", IfRevision: &revision}), runtime.ErrConflict)
}
