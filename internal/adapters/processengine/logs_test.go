package processengine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// chatty is a game that writes until it is killed.
const chatty = `i=0; while :; do i=$((i+1)); echo "line $i"; done`

func TestALogThatHasBecomeTooLargeIsShortened(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.putScript(t, "chatty:1", chatty)
	config := s.config(owner)
	config.MaxLogBytes = 200 << 10
	e := s.openWith(t, config)
	talks := spec("a")
	talks.Labels.Image = "chatty:1"
	c := e.start(t, talks)
	log := filepath.Join(s.containerDir(c.ID), "log")
	for range 3 {
		eventually(t, "the log grows", func() bool { return size(log) > config.MaxLogBytes })
		e.ShortenLogs()
		require.FileExists(t, log+".1")
		require.LessOrEqual(t, size(log+".1"), int64(65<<10))
	}
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	lines, err := e.Logs(t.Context(), c.ID, 1<<20)
	require.NoError(t, err)
	require.Greater(t, len(lines), 1000, "the end is there")
	for _, line := range lines {
		require.True(t, strings.HasPrefix(line, "line "), line)
	}

	require.NoError(t, os.Truncate(log, config.MaxLogBytes+1))
	require.NoError(t, e.Start(t.Context(), c.ID))
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	require.FileExists(t, log+".1")
}

func size(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

func TestTheEndOfALogIsTold(t *testing.T) {
	t.Parallel()
	e := newSite(t).open(t)
	c := e.create(t, spec("a"))
	x, y := strings.Repeat("x", 1000)+"\n", strings.Repeat("y", 70<<10)
	for _, log := range []struct {
		before, now string
		lines       int
		want        []string
	}{
		{now: "", lines: 5, want: []string{}},
		{now: "\n", lines: 5, want: []string{}},
		{now: "one\ntwo", lines: 5, want: []string{"one", "two"}},
		{now: "one\ntwo\n", lines: 1, want: []string{"two"}},
		{now: "one\r\n\r\n", lines: 5, want: []string{"one", ""}},
		{now: "a\xffb\n", lines: 5, want: []string{"a?b"}},
		{before: "one\ntw", now: "o\nthree\n", lines: 5, want: []string{"one", "two", "three"}},
		{before: y + "\n", now: "one\n", lines: 2, want: []string{"one"}},
		{now: y, lines: 2, want: []string{y[:64<<10]}},
		{now: strings.Repeat(x, 65) + strings.Repeat("z", 536) + "\n", lines: 1000, want: append(strings.Split(strings.Repeat(x, 64), "\n")[:64], strings.Repeat("z", 536))},
	} {
		dir := e.containerDir(c.ID)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "log.1"), []byte(log.before), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "log"), []byte(log.now), 0o600))
		got, err := e.Logs(t.Context(), c.ID, log.lines)
		require.NoError(t, err)
		require.Equal(t, log.want, got)
	}
}
