package procfs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine/internal/procfs"
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
	case <-time.After(30 * time.Second):
		require.Fail(t, "the process does not exit")
	}
}

// recordStat writes the stat of the process to a file, after change.
func recordStat(t *testing.T, pid int, change func([]string)) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	fields := strings.Fields(string(text))
	change(fields)
	file := filepath.Join(t.TempDir(), "process")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(fields, " ")+"\n"), 0o600))
	return file
}

func unchanged([]string) {}

func TestSignalRecordedVerifiesTheProcess(t *testing.T) {
	t.Parallel()
	pipe, info := pipeFile(t)
	holder, exited := startProcess(t, pipe, "sleep", "1000")
	foreign, _ := startProcess(t, nil, "sleep", "1000")

	later := func(fields []string) { fields[21] += "0" } // the start time
	require.False(t, procfs.SignalRecorded(recordStat(t, holder, later), info, syscall.SIGTERM))
	require.False(t, procfs.SignalRecorded(recordStat(t, foreign, unchanged), info, syscall.SIGTERM))
	require.False(t, procfs.SignalRecorded(filepath.Join(t.TempDir(), "missing"), info, syscall.SIGTERM))
	require.NoError(t, syscall.Kill(foreign, 0))

	require.True(t, procfs.SignalRecorded(recordStat(t, holder, unchanged), info, syscall.SIGTERM))
	waitExited(t, exited)
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

func TestKillExecutable(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("sleep")
	require.NoError(t, err)
	content, err := os.ReadFile(program)
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "sleep")
	require.NoError(t, os.WriteFile(copied, content, 0o700))
	if err := exec.CommandContext(t.Context(), copied, "0").Run(); err != nil {
		t.Skip("a copy of sleep does not run: ", err)
	}
	_, exited := startProcess(t, nil, copied, "1000")
	foreign, _ := startProcess(t, nil, program, "1000")
	procfs.KillExecutable(copied)
	waitExited(t, exited)
	require.NoError(t, syscall.Kill(foreign, 0))
}
