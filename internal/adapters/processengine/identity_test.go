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

// bystander starts a process that has nothing to do with any container, and
// returns its pid and its line of /proc.
func bystander(t *testing.T) (pid int, stat string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	require.NoError(t, err)
	return cmd.Process.Pid, string(line)
}

// forge makes the container's record of its process another one's.
func (s site) forge(t *testing.T, id, stat string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(s.containerDir(id), "process"), []byte(stat), 0o600))
}

// A pid that is used again names a process that is somebody else's.
func TestAForeignProcessIsNeverSignalled(t *testing.T) {
	t.Parallel()
	e := newSite(t).open(t)
	running, removed := e.start(t, spec("a")), e.start(t, spec("b"))
	pid, stat := bystander(t)
	e.forge(t, running.ID, stat)
	e.forge(t, removed.ID, stat)

	require.NoError(t, e.Stop(t.Context(), running.ID, time.Minute), "the game is found without its record")
	require.Equal(t, container.StateExited, e.inspect(t, running.ID).State)
	require.NoError(t, e.Remove(t.Context(), removed.ID))
	require.True(t, alive(pid))
}

func TestAForeignProcessIsNeverTakenForAGame(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e := s.open(t)
	c := e.start(t, spec("a"))
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	require.NoError(t, e.Close())
	pid, stat := bystander(t)
	s.forge(t, c.ID, stat)

	e = s.open(t)
	require.Equal(t, container.StateExited, e.inspect(t, c.ID).State)
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	require.True(t, alive(pid))
}

// The recorded process must be as old as it was.
func TestAYoungerProcessIsNotTheGame(t *testing.T) {
	t.Parallel()
	e := newSite(t).open(t)
	c := e.start(t, spec("a"))
	ready(t, c)
	fields := e.stat(t, c.ID)
	fields[21] += "0" // when it started
	e.forge(t, c.ID, strings.Join(fields, " ")+"\n")

	require.NoError(t, e.Stop(t.Context(), c.ID, hour))
	require.Equal(t, 137, *e.inspect(t, c.ID).ExitCode, "it was killed by its pipe, not asked by its pid")
}

func TestNoRecordOfTheProcessIsNeeded(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]string{"none": "", "cut": "12 (sh", "text": "no process\n", "no number": "x (sh) S 1" + strings.Repeat(" 1", 40)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			e := s.open(t)
			c := e.start(t, spec("a"))
			s.forge(t, c.ID, record)
			require.NoError(t, e.Close())

			e = s.open(t)
			require.Equal(t, container.StateRunning, e.inspect(t, c.ID).State)
			require.NoError(t, e.Stop(t.Context(), c.ID, 0))
			require.Equal(t, container.StateExited, e.inspect(t, c.ID).State)
		})
	}
}
