package processengine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// chatty is a game that writes lines until it is killed.
const chatty = `i=0; while :; do i=$((i+1)); echo "line $i"; done`

// The log is bounded while the game writes, also while no daemon runs.
func TestALogIsBoundedWhileItIsWritten(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.putScript(t, "chatty:1", chatty)
	config := f.config(owner)
	config.MaxLogBytes = 200 << 10
	e := f.openWith(t, config)
	c := e.start(t, imageSpec("chatty:1"))
	log := filepath.Join(f.containerDir(c.ID), "log")
	requireBounded := func(files int) {
		t.Helper()
		for range files {
			before, err := os.Stat(log)
			require.NoError(t, err)
			eventually(t, "a new file is started", func() bool {
				require.LessOrEqual(t, fileSize(log)+fileSize(log+".1"), config.MaxLogBytes)
				after, err := os.Stat(log)
				return err == nil && !os.SameFile(before, after)
			})
		}
	}
	eventually(t, "the game writes", func() bool { return fileSize(log) > 0 })
	requireBounded(3)
	require.NoError(t, e.Close())
	requireBounded(3)
	e = f.openWith(t, config)
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	lines, err := e.Logs(t.Context(), c.ID, 1<<20)
	require.NoError(t, err)
	require.Greater(t, len(lines), 1000, "the end of the log is kept")
	for _, line := range lines {
		require.True(t, strings.HasPrefix(line, "line "), line)
	}
}

// A log of an earlier version can exceed the bound.
func TestALargeLogIsShortenedWhenTheEngineOpens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.open(t)
	c := e.create(t, spec("a"))
	require.NoError(t, e.Close())
	log := filepath.Join(f.containerDir(c.ID), "log")
	require.NoError(t, os.WriteFile(log, []byte(strings.Repeat("line\n", 100<<10)), 0o600))
	config := f.config(owner)
	config.MaxLogBytes = 200 << 10
	e = f.openWith(t, config)
	require.LessOrEqual(t, fileSize(log)+fileSize(log+".1"), config.MaxLogBytes)
	lines, err := e.Logs(t.Context(), c.ID, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"line", "line"}, lines)
}

func fileSize(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

func TestLogsReturnsTheEndOfTheLog(t *testing.T) {
	t.Parallel()
	e := newFixture(t).open(t)
	c := e.create(t, spec("a"))
	dir := e.containerDir(c.ID)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "log.1"), []byte("one\ntw"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "log"), []byte("o\nthr\xffe\n"), 0o600))
	got, err := e.Logs(t.Context(), c.ID, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"two", "thr?e"}, got)
}
