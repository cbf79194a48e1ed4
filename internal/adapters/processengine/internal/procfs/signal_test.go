package procfs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine/internal/procfs"
)

const (
	waitTimeout  = 30 * time.Second
	pollInterval = 5 * time.Millisecond
)

// pipeFile returns an open pipe in the file system, and its information.
func pipeFile(t *testing.T) (*os.File, os.FileInfo) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(name, 0o600))
	pipe, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = pipe.Close() })
	info, err := pipe.Stat()
	require.NoError(t, err)
	return pipe, info
}

// startProcess starts a program. exited is closed when the process has exited.
func startProcess(t *testing.T, pipe *os.File, program string, args ...string) (pid int, exited <-chan struct{}) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	if pipe != nil {
		cmd.ExtraFiles = []*os.File{pipe}
	}
	require.NoError(t, cmd.Start())
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
	return cmd.Process.Pid, done
}

func waitExited(t *testing.T, exited <-chan struct{}) {
	t.Helper()
	select {
	case <-exited:
	case <-time.After(waitTimeout):
		require.Fail(t, "the process does not exit")
	}
}

func TestKillPipeHolders(t *testing.T) {
	t.Parallel()
	pipe, info := pipeFile(t)
	kept, keptExited := startProcess(t, pipe, "sleep", "1000")
	_, exited := startProcess(t, pipe, "sleep", "1000")
	foreign, _ := startProcess(t, nil, "sleep", "1000")

	procfs.KillPipeHolders(info, kept)
	waitExited(t, exited)
	require.NoError(t, syscall.Kill(kept, 0))
	procfs.KillPipeHolders(info, 0)
	waitExited(t, keptExited)
	require.NoError(t, syscall.Kill(foreign, 0))
}
