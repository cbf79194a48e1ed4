package livepipe_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine/internal/livepipe"
)

func TestIsHeld(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "alive")
	_, err := livepipe.OpenReader(name)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, livepipe.Create(name))
	require.NoError(t, livepipe.Create(name), "the pipe exists")

	reader, err := livepipe.OpenReader(name)
	require.NoError(t, err)
	defer reader.Close()
	requireHeld := func(want bool, wantMessages string) {
		t.Helper()
		isHeld, messages, err := livepipe.IsHeld(reader)
		require.NoError(t, err)
		require.Equal(t, want, isHeld)
		require.Equal(t, wantMessages, string(messages))
	}
	requireHeld(false, "")
	holder, err := livepipe.OpenHolder(name)
	require.NoError(t, err)
	requireHeld(true, "")
	_, err = holder.WriteString("ab")
	require.NoError(t, err)
	requireHeld(true, "ab")
	requireHeld(true, "")
	require.NoError(t, holder.Close())
	requireHeld(false, "")
}
