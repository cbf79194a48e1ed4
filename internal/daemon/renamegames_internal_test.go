package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

var (
	before = node.Ref{Region: "local", Name: "before"}
	after  = node.Ref{Region: "eu", Name: "after"}
)

// The daemon is killed during an operation, and the node is renamed.
func TestOperationsInProgressAreRenamed(t *testing.T) {
	t.Parallel()
	store, err := etcdstore.Open(t.Context(), etcdtest.Client(t), etcdstore.Options{Prefix: etcdtest.Prefix(t)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	record := func(gameID string, ref node.Ref) runtime.RuntimeRecord {
		return runtime.RuntimeRecord{
			GameID: gameID, Status: runtime.StatusRunning, Region: ref.Region, Node: ref.Name, CurrentContainerID: "c", CreatedAt: at, LastOpAt: at, StartedAt: &at,
		}
	}
	other := node.Ref{Region: "local", Name: "other"}
	for gameID, ref := range map[string]node.Ref{"mine": before, "other": other} {
		require.NoError(t, store.Upsert(t.Context(), record(gameID, ref)))
		previous := record(gameID, ref)
		_, err = store.PutIntent(t.Context(), operation.Intent{
			GameID: gameID, DesiredStatus: runtime.StatusRunning, Spec: operation.Spec{Image: "game:1"},
			Current: &operation.Operation{
				ID: "op-" + gameID, Kind: operation.KindRestart, Region: ref.Region, Node: ref.Name, Session: 7, StartedAt: at, Deadline: at, StepAt: at,
				Step: operation.StepStopping, Spec: operation.Spec{Image: "game:1"}, PreviousRecord: &previous,
			},
		}, ports.IntentVersion{})
		require.NoError(t, err)
	}
	deps := hostDependencies{store: store, logger: slog.New(slog.DiscardHandler)}
	for _, want := range []int{1, 0} { // it can be repeated
		count, err := renameGames(t.Context(), deps, before, after)
		require.NoError(t, err)
		require.Equal(t, want, count)
	}
	games, err := store.GamesWithActiveOperation(t.Context(), after.Region, after.Name)
	require.NoError(t, err)
	require.Equal(t, []string{"mine"}, games)
	intent, err := store.GetIntent(t.Context(), "mine")
	require.NoError(t, err)
	require.Equal(t, after, intent.Intent.Current.NodeRef())
	require.Equal(t, after, node.RefOf(*intent.Intent.Current.PreviousRecord))
	got, err := store.Get(t.Context(), "other")
	require.NoError(t, err)
	require.Equal(t, other, node.RefOf(got))
}

// A crash after the name was stored is completed by the next start.
func TestRenameIsPendingUntilItsGamesAreRenamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(self, former node.Ref) *nodeDir {
		t.Helper()
		d, err := openNodeDir(dir, self, former)
		require.NoError(t, err)
		return d
	}
	first := open(before, node.Ref{})
	require.NoError(t, os.MkdirAll(filepath.Join(first.path, "containers", "c"), 0o700))
	require.NoError(t, first.close())
	unused, err := openNodeDir(t.TempDir(), after, node.Ref{})
	require.NoError(t, err)
	require.NotEqual(t, first.identity, unused.identity)
	require.NoError(t, unused.close())

	renamed := open(after, before)
	require.Equal(t, first.path, renamed.path, "games use the path")
	require.Equal(t, first.identity, renamed.identity)
	require.NoError(t, renamed.close())
	require.NoError(t, open(before, node.Ref{}).close(), "nothing has been stored yet")

	renamed = open(after, before)
	require.NoError(t, renamed.commitName())
	require.NoError(t, renamed.close())
	for _, former := range []node.Ref{before, {}} {
		crashed := open(after, former)
		require.Equal(t, first.path, crashed.path)
		require.Equal(t, &before, crashed.name.Pending)
		require.NoError(t, crashed.close())
	}
	crashed := open(after, before)
	crashed.name.Pending = nil
	require.NoError(t, crashed.commitName())
	require.NoError(t, crashed.close())
	_, err = openNodeDir(dir, before, node.Ref{})
	require.ErrorContains(t, err, "--rename-from eu/after")
	done := open(after, before)
	require.Nil(t, done.name.Pending, "the flag has no effect any more")
	require.NoError(t, done.close())
}

// The data directory has an unused directory of the new name, from before it ran games.
func TestUnusedDirectoryOfTheNewNameIsSetAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unused, err := openNodeDir(dir, after, node.Ref{})
	require.NoError(t, err)
	require.NoError(t, unused.close())
	first, err := openNodeDir(dir, before, node.Ref{})
	require.NoError(t, err)
	require.Equal(t, unused.identity, first.identity, "it is the same machine")
	require.NoError(t, os.MkdirAll(filepath.Join(first.path, "containers", "c"), 0o700))
	require.NoError(t, first.close())
	for range 2 {
		renamed, err := openNodeDir(dir, after, before)
		require.NoError(t, err)
		require.Equal(t, first.path, renamed.path)
		require.NoError(t, renamed.commitName())
		require.NoError(t, renamed.close())
		require.NoDirExists(t, unused.path)
	}
}
