package processengine_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func TestAGameWithoutItsParentStillRunsAndObeys(t *testing.T) {
	t.Parallel()
	e := newSite(t).open(t)
	c := e.start(t, spec("a"))
	ready(t, c)
	game, parent := e.pids(t, c.ID)
	kill(t, parent)
	eventually(t, "the parent is dead", func() bool { return !alive(parent) })

	require.True(t, alive(game))
	require.Equal(t, container.StateRunning, e.inspect(t, c.ID).State)
	require.NoError(t, e.Stop(t.Context(), c.ID, hour))
	stopped := e.inspect(t, c.ID)
	require.Equal(t, container.StateExited, stopped.State)
	require.Nil(t, stopped.ExitCode, "nobody was there to see it")
	require.Nil(t, stopped.ExitedAt)
	require.NoError(t, e.Start(t.Context(), c.ID))
	require.Equal(t, container.StateRunning, e.inspect(t, c.ID).State)
}

func TestTheEndOfAGameWithoutItsParentIsSeen(t *testing.T) {
	t.Parallel()
	e := newSite(t).open(t)
	c := e.start(t, spec("a"))
	game, parent := e.pids(t, c.ID)
	kill(t, parent)
	kill(t, game)
	require.Nil(t, e.exited(t, c.ID).ExitCode)
}

// A child that has closed the pipe is the parent's to kill, and the engine's where
// the parent was killed before.
func TestAChildWithoutThePipeDiesWithTheGameAlthoughTheParentIsDead(t *testing.T) {
	t.Parallel()
	e := newSite(t).open(t)
	keeps := spec("a")
	keeps.Args = []string{"--with-child"} // which has the port where the pipe was
	c := e.start(t, keeps)
	ready(t, c)
	game, parent := e.pids(t, c.ID)
	child := childOf(t, game)
	kill(t, parent)
	kill(t, game)
	require.Nil(t, e.exited(t, c.ID).ExitCode)
	requireDies(t, child)
}

// childOf returns the process's only child.
func childOf(t *testing.T, pid int) (child int) {
	t.Helper()
	eventually(t, "the game has a child", func() bool {
		lists, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "children"))
		for _, list := range lists {
			text, _ := os.ReadFile(list)
			if child, _ = strconv.Atoi(strings.TrimSpace(string(text))); child > 0 {
				return true
			}
		}
		return false
	})
	return child
}

func TestATermToTheGroupLeavesTheExitCode(t *testing.T) {
	t.Parallel()
	e := newSite(t).open(t)
	c := e.start(t, spec("a"))
	ready(t, c)
	_, parent := e.pids(t, c.ID)
	require.NoError(t, syscall.Kill(-parent, syscall.SIGTERM))
	require.Equal(t, 0, *e.exited(t, c.ID).ExitCode)
}

// frozen processes do not even see a signal that they could obey.
func TestAFrozenGameIsKilled(t *testing.T) {
	t.Parallel()
	e := newSite(t).open(t)
	c := e.start(t, spec("a"))
	ready(t, c)
	game, _ := e.pids(t, c.ID)
	require.NoError(t, syscall.Kill(game, syscall.SIGSTOP))
	require.NoError(t, e.Stop(t.Context(), c.ID, 50*time.Millisecond))
	require.Equal(t, 137, *e.inspect(t, c.ID).ExitCode)
}

func TestAFrozenParentIsKilled(t *testing.T) {
	t.Parallel()
	e := newSite(t).open(t)
	c := e.start(t, spec("a"))
	_, parent := e.pids(t, c.ID)
	require.NoError(t, syscall.Kill(parent, syscall.SIGSTOP))
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	require.Equal(t, container.StateExited, e.inspect(t, c.ID).State)
}

// escaping is a game that leaves a process behind in a session of its own, which
// is not in the game's group any more.
const escaping = `setsid sh -c 'echo $$ >escaped; exec sleep 1000' &
until [ -s escaped ]; do sleep 0.01; done
`

func (s site) escaped(t *testing.T, c container.Container) (pid int) {
	t.Helper()
	eventually(t, "a process has escaped", func() bool {
		text, _ := os.ReadFile(filepath.Join(c.StatePath, "escaped"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid > 0
	})
	return pid
}

// requireDies fails unless the process dies; one that has closed all its files is
// about to.
func requireDies(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "the process that escaped dies", func() bool { return !alive(pid) })
}

func TestAProcessThatLeftTheGroupDiesWithTheGame(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{"by itself": "exit 3", "killed": "exec sleep 1000"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.putScript(t, "escaping:1", escaping+end)
			e := s.open(t)
			escapes := spec("a")
			escapes.Labels.Image = "escaping:1"
			c := e.start(t, escapes)
			pid := s.escaped(t, c)
			want := 3
			if name == "killed" {
				want = 137
				require.NoError(t, e.Stop(t.Context(), c.ID, 0))
			}
			require.Equal(t, want, *e.exited(t, c.ID).ExitCode)
			requireDies(t, pid)
		})
	}
}

func TestAProcessThatEscapedUnderAnEarlierDaemonDiesToo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.putScript(t, "escaping:1", escaping+"exec sleep 1000")
	e := s.open(t)
	escapes := spec("a")
	escapes.Labels.Image = "escaping:1"
	c := e.start(t, escapes)
	pid := s.escaped(t, c)
	require.NoError(t, e.Close())
	game, parent := s.pids(t, c.ID)
	kill(t, game)
	eventually(t, "game and parent are dead", func() bool { return !alive(game) && !alive(parent) })
	require.True(t, alive(pid))

	e = s.open(t)
	require.Equal(t, 137, *e.exited(t, c.ID).ExitCode)
	requireDies(t, pid)
}

func TestAGameThatClosesThePipeIsAskedAllTheSame(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.putScript(t, "closing:1", "exec 3>&-; trap 'exit 9' TERM; sleep 1000 & echo ready; wait")
	e := s.open(t)
	closes := spec("a")
	closes.Labels.Image = "closing:1"
	c := e.start(t, closes)
	eventually(t, "the game is ready", func() bool {
		lines, err := e.Logs(t.Context(), c.ID, 1)
		return err == nil && len(lines) == 1 && lines[0] == "ready"
	})
	require.NoError(t, e.Stop(t.Context(), c.ID, hour))
	require.Equal(t, 9, *e.inspect(t, c.ID).ExitCode)
}

func TestAGameThatWritesToThePipeHarmsNobody(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.putScript(t, "writing:1", "echo bxbxx >&3; echo x >&3; echo said; exec sleep 1000")
	e := s.open(t)
	writes := spec("a")
	writes.Labels.Image = "writing:1"
	c := e.start(t, writes)
	eventually(t, "the game has written", func() bool {
		lines, err := e.Logs(t.Context(), c.ID, 1)
		return err == nil && len(lines) == 1
	})
	require.Equal(t, container.StateRunning, e.inspect(t, c.ID).State)
	game, _ := s.pids(t, c.ID)
	require.True(t, alive(game))
	kill(t, game)
	require.Equal(t, 137, *e.exited(t, c.ID).ExitCode)
}
