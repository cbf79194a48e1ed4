package statedir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/statedir"
)

func newDirs(t *testing.T) statedir.Dirs {
	t.Helper()
	return statedir.Dirs{Path: filepath.Join(t.TempDir(), "state"), TrackPath: filepath.Join(t.TempDir(), "node", "tracked")}
}

// makeState creates the state directory of the game with a file in it.
func makeState(t *testing.T, d statedir.Dirs, gameID string) string {
	t.Helper()
	dir := filepath.Join(d.Path, statedir.Name(gameID))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sub", "save"), []byte("x"), 0o600))
	return dir
}

func tracked(t *testing.T, d statedir.Dirs) []string {
	t.Helper()
	games, err := d.Tracked()
	require.NoError(t, err)
	return games
}

func returns(deleted bool) func() (bool, error) { return func() (bool, error) { return deleted, nil } }

func TestRemoveDeletesATrackedDirectory(t *testing.T) {
	t.Parallel()
	for _, gameID := range []string{"game", "a/b", "..", ".hidden", strings.Repeat("ж", 128)} {
		d := newDirs(t)
		dir, other := makeState(t, d, gameID), makeState(t, d, gameID+"2")
		require.NoError(t, d.Track(gameID))
		require.NoError(t, d.Track(gameID))
		require.Equal(t, []string{gameID}, tracked(t, d))
		require.NoError(t, d.Remove(gameID, returns(true)))
		require.NoDirExists(t, dir)
		require.DirExists(t, other)
		require.Empty(t, tracked(t, d))
		entries, err := os.ReadDir(d.Path)
		require.NoError(t, err)
		require.Len(t, entries, 1)
	}
}

func TestGameWithoutADirectoryIsNotTracked(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	require.NoError(t, d.Track("game"))
	require.NoError(t, d.Untrack("game"))
	require.Empty(t, tracked(t, d))
	require.NoError(t, d.Remove("game", returns(true)), "nothing to delete")
	require.NoDirExists(t, d.Path)
}

// A game that exists keeps its directory, also if isDeleted fails.
func TestDirectoryOfAGameThatExistsIsKept(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	dir := makeState(t, d, "game")
	require.NoError(t, d.Track("game"))
	require.NoError(t, d.Remove("game", returns(false)))
	require.FileExists(t, filepath.Join(dir, "sub", "save"))
	unavailable := errors.New("store is unavailable")
	require.ErrorIs(t, d.Remove("game", func() (bool, error) { return false, unavailable }), unavailable)
	require.FileExists(t, filepath.Join(dir, "sub", "save"))
	require.Equal(t, []string{"game"}, tracked(t, d))
}

// A game that is started while its old directory is deleted has a new directory, and keeps it.
func TestNewDirectoryOfAStartedGameIsKept(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	dir := makeState(t, d, "game")
	require.NoError(t, d.Track("game"))
	require.NoError(t, d.Remove("game", func() (bool, error) {
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "new"), nil, 0o600))
		return false, nil
	}))
	require.FileExists(t, filepath.Join(dir, "new"))
	require.NoFileExists(t, filepath.Join(dir, "sub"))
}

// A state directory that is a symbolic link, or contains one, leads to no other directory.
func TestRemoveFollowsNoSymbolicLink(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	precious := filepath.Join(t.TempDir(), "precious")
	require.NoError(t, os.MkdirAll(precious, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(precious, "file"), nil, 0o600))
	dir := makeState(t, d, "game")
	require.NoError(t, os.Symlink(precious, filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink(precious, filepath.Join(d.Path, "linked")))
	for _, gameID := range []string{"game", "linked"} {
		require.NoError(t, d.Track(gameID))
		require.NoError(t, d.Remove(gameID, returns(true)))
	}
	require.FileExists(t, filepath.Join(precious, "file"))
	entries, err := os.ReadDir(d.Path)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// A removal that was interrupted after the rename is completed later.
func TestInterruptedRemovalIsCompleted(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	dir := makeState(t, d, "game")
	require.NoError(t, d.Track("game"))
	require.NoError(t, os.Rename(dir, filepath.Join(d.Path, ".deleted-game")))
	require.Equal(t, []string{"game"}, tracked(t, d))
	require.NoError(t, d.Remove("game", returns(true)))
	require.Empty(t, tracked(t, d))
	require.NoDirExists(t, filepath.Join(d.Path, ".deleted-game"))
}

// A game that starts while its old directory is deleted was tracked with the old one.
func TestNewDirectoryDuringARemovalRemainsTracked(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	dir := makeState(t, d, "game")
	require.NoError(t, d.Track("game"))
	require.NoError(t, d.Remove("game", func() (bool, error) {
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, d.Track("game"))
		return true, nil
	}))
	require.DirExists(t, dir)
	require.Equal(t, []string{"game"}, tracked(t, d))
}
