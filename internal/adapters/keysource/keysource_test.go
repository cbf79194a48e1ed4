package keysource_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/adapters/keysource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const marker = "hunter2-marker"

func TestFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(name, []byte(marker), 0o600))
	text, err := keysource.File{Path: name}.Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, marker, string(text))

	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(name, link))
	text, err = keysource.File{Path: link}.Load(t.Context())
	require.NoError(t, err, "mounted secrets are links")
	require.Equal(t, marker, string(text))
	require.NoError(t, os.Chmod(name, 0o644))
	for _, path := range []string{name, link, filepath.Dir(name), filepath.Join(filepath.Dir(name), "none")} {
		_, err = keysource.File{Path: path}.Load(t.Context())
		require.Error(t, err, path)
		require.NotContains(t, err.Error(), marker)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	text, err := keysource.Command{Line: "printf '%s' " + marker}.Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, marker, string(text))
}

func TestAFailingCommandShowsNoOutput(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"echo " + marker + "; echo " + marker + " >&2; exit 3": "exit status 3",
		"kill -9 $$ # " + marker:                               "signal: killed",
		"no-such-command-" + marker:                            "exit status 127",
		"yes " + marker:                                        "wrote more than 65536 bytes",
	} {
		_, err := keysource.Command{Line: line}.Load(t.Context())
		require.ErrorContains(t, err, want, line)
		require.NotContains(t, err.Error(), marker, line)
	}
}

// The command, and a process that keeps its output open, are killed at the timeout.
func TestAHangingCommandIsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	started := time.Now()
	_, err := keysource.Command{Line: "sleep 1000 & echo $! >" + dir + "/pid; echo " + marker + "; wait", Timeout: 300 * time.Millisecond}.Load(t.Context())
	require.ErrorContains(t, err, "did not end within 300ms and was killed")
	require.NotContains(t, err.Error(), marker)
	require.Less(t, time.Since(started), 30*time.Second)
	pid, err := os.ReadFile(dir + "/pid")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, 10*time.Second, 10*time.Millisecond, "the process group is killed")
}

func TestACommandEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := keysource.Command{Line: "sleep 1000"}.Load(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
