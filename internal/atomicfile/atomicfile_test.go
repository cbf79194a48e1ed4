package atomicfile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/atomicfile"
)

func TestWriteReplacesTheFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"first, and longer", "second", ""} {
		require.NoError(t, atomicfile.Write(name, []byte(content)))
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, content, string(got))
	}
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	require.NoFileExists(t, name+".new")
}

func TestWriteKeepsTheFileIfItFails(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, atomicfile.Write(name, []byte("old")))
	require.NoError(t, os.Mkdir(name+".new", 0o700)) // the draft cannot be written
	require.Error(t, atomicfile.Write(name, []byte("new")))
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "old", string(got))
}

func TestRename(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	require.ErrorIs(t, atomicfile.Rename(from, to), fs.ErrNotExist)
	require.NoError(t, os.Mkdir(from, 0o700))
	require.NoError(t, atomicfile.Rename(from, to))
	require.DirExists(t, to)
	require.NoDirExists(t, from)
}
