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

func TestALargeLogIsShortened(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.putScript(t, "chatty:1", chatty)
	config := f.config(owner)
	config.MaxLogBytes = 200 << 10
	e := f.openWith(t, config)
	c := e.start(t, imageSpec("chatty:1"))
	log := filepath.Join(f.containerDir(c.ID), "log")
	for range 3 {
		eventually(t, "the log grows", func() bool { return fileSize(log) > config.MaxLogBytes })
		e.ShortenLogs()
		require.FileExists(t, log+".1")
		require.LessOrEqual(t, fileSize(log+".1"), int64(65<<10))
	}
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	lines, err := e.Logs(t.Context(), c.ID, 1<<20)
	require.NoError(t, err)
	require.Greater(t, len(lines), 1000, "the end of the log is kept")
	for _, line := range lines {
		require.True(t, strings.HasPrefix(line, "line "), line)
	}

	require.NoError(t, os.Truncate(log, config.MaxLogBytes+1))
	require.NoError(t, e.Start(t.Context(), c.ID))
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	require.FileExists(t, log+".1")
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
