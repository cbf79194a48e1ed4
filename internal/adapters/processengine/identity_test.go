package processengine_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// startForeignProcess starts a process that belongs to no container. It returns the pid and
// the content of /proc/PID/stat.
func startForeignProcess(t *testing.T) (pid int, stat string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	require.NoError(t, err)
	return cmd.Process.Pid, string(line)
}

// writeProcessFile replaces the recorded stat of the container's process.
func (f fixture) writeProcessFile(t *testing.T, id, stat string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(f.containerDir(id), "process"), []byte(stat), 0o600))
}

// A pid can be reused by a process that belongs to no container.
func TestAForeignProcessReceivesNoSignal(t *testing.T) {
	t.Parallel()
	e := newFixture(t).open(t)
	running, removed := e.start(t, spec("a")), e.start(t, spec("b"))
	pid, stat := startForeignProcess(t)
	e.writeProcessFile(t, running.ID, stat)
	e.writeProcessFile(t, removed.ID, stat)

	require.NoError(t, e.Stop(t.Context(), running.ID, time.Minute), "the game is found without the file process")
	require.Equal(t, container.StateExited, e.inspect(t, running.ID).State)
	require.NoError(t, e.Remove(t.Context(), removed.ID))
	require.True(t, isAlive(pid))
}

func TestAForeignProcessIsNotAGame(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.open(t)
	c := e.start(t, spec("a"))
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	require.NoError(t, e.Close())
	pid, stat := startForeignProcess(t)
	f.writeProcessFile(t, c.ID, stat)

	e = f.open(t)
	require.Equal(t, container.StateExited, e.inspect(t, c.ID).State)
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	require.True(t, isAlive(pid))
}

// The processes of the game are found by their parent, and not by the recorded process.
func TestALaterProcessIsNotTheGame(t *testing.T) {
	t.Parallel()
	e := newFixture(t).open(t)
	c := e.start(t, spec("a"))
	waitReady(t, c)
	fields := e.stat(t, c.ID)
	fields[21] += "0" // the start time
	e.writeProcessFile(t, c.ID, strings.Join(fields, " ")+"\n")

	require.NoError(t, e.Stop(t.Context(), c.ID, longGrace))
	require.Equal(t, 0, *e.inspect(t, c.ID).ExitCode)
}

func TestTheProcessFileIsOptional(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]string{"empty": "", "incomplete": "12 (sh", "text": "no process\n", "not a number": "x (sh) S 1" + strings.Repeat(" 1", 40)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			e := f.open(t)
			c := e.start(t, spec("a"))
			f.writeProcessFile(t, c.ID, record)
			require.NoError(t, e.Close())

			e = f.open(t)
			require.Equal(t, container.StateRunning, e.inspect(t, c.ID).State)
			require.NoError(t, e.Stop(t.Context(), c.ID, 0))
			require.Equal(t, container.StateExited, e.inspect(t, c.ID).State)
		})
	}
}
