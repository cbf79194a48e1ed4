package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// serveFailure runs a daemon on the directory that must not start, and returns the lines of
// its standard error.
func serveFailure(t *testing.T, dir string) []string {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "serve", "--data-dir", dir, "--engine", "none", "--listen", "127.0.0.1:0", "--etcd-listen-client", "http://127.0.0.1:0")
	cmd.Env = append(os.Environ(), runMainVariable+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.Error(t, cmd.Run())
	require.NoError(t, ctx.Err(), "the daemon must not wait: %s", stderr.String())
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), stderr.String())
	return strings.Split(strings.TrimSpace(stderr.String()), "\n")
}

// What a power cut, a full disk or an operator leaves of the files of the embedded etcd is
// rejected with the directory, the file, and what to do.
func TestCorruptDataDirectories(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	for i := range 50 {
		require.NoError(t, d.put(fmt.Sprint("g", i)))
	}
	require.NoError(t, d.stop())
	cases := map[string]struct {
		corrupt  func(t *testing.T, member string)
		expected string
	}{
		"database cut":        {func(t *testing.T, m string) { truncate(t, m+"/snap/db", 9000) }, "snap/db"},
		"database scribbled":  {func(t *testing.T, m string) { overwrite(t, m+"/snap/db", 4096*2, 4096*6) }, "snap/db"},
		"database header":     {func(t *testing.T, m string) { overwrite(t, m+"/snap/db", 0, 8192) }, "snap/db"},
		"database empty":      {func(t *testing.T, m string) { truncate(t, m+"/snap/db", 0) }, "snap/db"},
		"database gone":       {func(t *testing.T, m string) { require.NoError(t, os.Remove(m+"/snap/db")) }, "snap/db"},
		"database of another": {func(t *testing.T, m string) { require.NoError(t, os.WriteFile(m+"/snap/db", []byte("hello"), 0o600)) }, "snap/db"},
		"log empty":           {func(t *testing.T, m string) { truncate(t, firstLog(t, m), 0) }, ".wal"},
		"log short":           {func(t *testing.T, m string) { truncate(t, firstLog(t, m), 100) }, "wal"},
		"log scribbled":       {func(t *testing.T, m string) { overwrite(t, firstLog(t, m), 200, 8) }, "wal"},
		"log gone":            {func(t *testing.T, m string) { require.NoError(t, os.RemoveAll(m+"/wal")) }, "wal"},
		"all gone":            {func(t *testing.T, m string) { require.NoError(t, os.RemoveAll(m)) }, "member"},
		"directory of files":  {func(t *testing.T, m string) { require.NoError(t, os.RemoveAll(m+"/snap")) }, "snap"},
	}
	// The copies are started while their original does not run.
	t.Run("copies", func(t *testing.T) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(t.TempDir(), "data")
				require.NoError(t, os.CopyFS(dir, os.DirFS(d.dir)))
				c.corrupt(t, filepath.Join(dir, "etcd", "member"))
				lines := serveFailure(t, dir)
				last := lines[len(lines)-1]
				require.Contains(t, last, "data directory "+dir)
				require.Contains(t, last, c.expected)
				require.Contains(t, last, "restore a backup")
				for _, line := range lines {
					require.NotRegexp(t, `^(panic:|goroutine |SIGBUS|unexpected fault)`, line)
				}
			})
		}
	})
	d.start() // the cleanup of the test stops it
}

func TestDanglingDataDirectory(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a daemon process")
	}
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink("/absent/target", link))
	lines := serveFailure(t, link)
	last := lines[len(lines)-1]
	require.Contains(t, last, link)
	require.Contains(t, last, "/absent/target")
}

func truncate(t *testing.T, file string, size int64) {
	t.Helper()
	require.NoError(t, os.Truncate(file, size))
}

func overwrite(t *testing.T, file string, offset int64, count int) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, count), offset)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// firstLog returns the first log file of a member.
func firstLog(t *testing.T, member string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(member, "wal", "*.wal"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return slices.Min(files)
}
