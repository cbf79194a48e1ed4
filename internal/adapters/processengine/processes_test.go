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

func TestAGameWithoutItsParentRunsAndStops(t *testing.T) {
	t.Parallel()
	e := newFixture(t).open(t)
	c := e.start(t, spec("a"))
	waitReady(t, c)
	game, parent := e.pids(t, c.ID)
	kill(t, parent)
	eventually(t, "the parent exits", func() bool { return !isAlive(parent) })

	require.True(t, isAlive(game))
	require.Equal(t, container.StateRunning, e.inspect(t, c.ID).State)
	require.NoError(t, e.Stop(t.Context(), c.ID, longGrace))
	stopped := e.inspect(t, c.ID)
	require.Equal(t, container.StateExited, stopped.State)
	require.Nil(t, stopped.ExitCode, "no process recorded it")
	require.Nil(t, stopped.ExitedAt)
	require.NoError(t, e.Start(t.Context(), c.ID))
	require.Equal(t, container.StateRunning, e.inspect(t, c.ID).State)
}

func TestTheExitOfAGameWithoutItsParentIsDetected(t *testing.T) {
	t.Parallel()
	e := newFixture(t).open(t)
	c := e.start(t, spec("a"))
	game, parent := e.pids(t, c.ID)
	kill(t, parent)
	kill(t, game)
	require.Nil(t, e.waitExited(t, c.ID).ExitCode)
}

// A child that has closed the pipe is killed by the parent script, and by the engine if the
// parent script was killed before.
func TestAChildWithoutThePipeDiesWithTheGameAlsoWithoutTheParent(t *testing.T) {
	t.Parallel()
	e := newFixture(t).open(t)
	withChild := spec("a")
	withChild.Args = []string{"--with-child"} // the child has the port instead of the pipe as descriptor 3
	c := e.start(t, withChild)
	waitReady(t, c)
	game, parent := e.pids(t, c.ID)
	child := waitChild(t, game)
	kill(t, parent)
	kill(t, game)
	require.Nil(t, e.waitExited(t, c.ID).ExitCode)
	waitDead(t, child)
}

// waitChild waits for the only child of the process and returns it.
func waitChild(t *testing.T, pid int) (child int) {
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

func TestASIGTERMToTheGroupKeepsTheExitCode(t *testing.T) {
	t.Parallel()
	e := newFixture(t).open(t)
	c := e.start(t, spec("a"))
	waitReady(t, c)
	_, parent := e.pids(t, c.ID)
	require.NoError(t, syscall.Kill(-parent, syscall.SIGTERM))
	require.Equal(t, 0, *e.waitExited(t, c.ID).ExitCode)
}

// A process that SIGSTOP has suspended does not handle SIGTERM.
func TestASuspendedGameIsKilled(t *testing.T) {
	t.Parallel()
	e := newFixture(t).open(t)
	c := e.start(t, spec("a"))
	waitReady(t, c)
	game, _ := e.pids(t, c.ID)
	require.NoError(t, syscall.Kill(game, syscall.SIGSTOP))
	require.NoError(t, e.Stop(t.Context(), c.ID, 50*time.Millisecond))
	require.Equal(t, 137, *e.inspect(t, c.ID).ExitCode)
}

func TestASuspendedParentIsKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for five attempts to kill")
	}
	e := newFixture(t).open(t)
	c := e.start(t, spec("a"))
	_, parent := e.pids(t, c.ID)
	require.NoError(t, syscall.Kill(parent, syscall.SIGSTOP))
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	require.Equal(t, container.StateExited, e.inspect(t, c.ID).State)
}

// escaping is a game that starts a process in another session, and so in another process
// group.
const escaping = `setsid sh -c 'echo $$ >escaped; exec sleep 1000' &
until [ -s escaped ]; do sleep 0.01; done
`

// waitEscaped returns the process that the game escaping has started.
func (f fixture) waitEscaped(t *testing.T, c container.Container) (pid int) {
	t.Helper()
	eventually(t, "a process has escaped", func() bool {
		text, _ := os.ReadFile(filepath.Join(c.StatePath, "escaped"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid > 0
	})
	return pid
}

// waitDead waits until the process has exited: it closes its files a moment before it
// exits.
func waitDead(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "the process exits", func() bool { return !isAlive(pid) })
}

func TestAProcessThatLeftTheGroupDiesWithTheGame(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{"by itself": "exit 3", "killed": "exec sleep 1000"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.putScript(t, "escaping:1", escaping+end)
			e := f.open(t)
			c := e.start(t, imageSpec("escaping:1"))
			pid := f.waitEscaped(t, c)
			want := 3
			if name == "killed" {
				want = 137
				require.NoError(t, e.Stop(t.Context(), c.ID, 0))
			}
			require.Equal(t, want, *e.waitExited(t, c.ID).ExitCode)
			waitDead(t, pid)
		})
	}
}

func TestAProcessThatEscapedUnderAnEarlierDaemonDiesToo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.putScript(t, "escaping:1", escaping+"exec sleep 1000")
	e := f.open(t)
	c := e.start(t, imageSpec("escaping:1"))
	pid := f.waitEscaped(t, c)
	require.NoError(t, e.Close())
	game, parent := f.pids(t, c.ID)
	kill(t, game)
	eventually(t, "game and parent exit", func() bool { return !isAlive(game) && !isAlive(parent) })
	require.True(t, isAlive(pid))

	e = f.open(t)
	require.Equal(t, 137, *e.waitExited(t, c.ID).ExitCode)
	waitDead(t, pid)
}

func TestAGameThatClosesThePipeReceivesSIGTERM(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.putScript(t, "closing:1", "exec 3>&-; trap 'exit 9' TERM; sleep 1000 & echo ready; wait")
	e := f.open(t)
	c := e.start(t, imageSpec("closing:1"))
	eventually(t, "the game is ready", func() bool {
		lines, err := e.Logs(t.Context(), c.ID, 1)
		return err == nil && len(lines) == 1 && lines[0] == "ready"
	})
	require.NoError(t, e.Stop(t.Context(), c.ID, longGrace))
	require.Equal(t, 9, *e.inspect(t, c.ID).ExitCode)
}

func TestAGameThatWritesToThePipeDoesNoHarm(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.putScript(t, "writing:1", "echo bxbxx >&3; echo x >&3; echo done; exec sleep 1000")
	e := f.open(t)
	c := e.start(t, imageSpec("writing:1"))
	eventually(t, "the game has written", func() bool {
		lines, err := e.Logs(t.Context(), c.ID, 1)
		return err == nil && len(lines) == 1
	})
	require.Equal(t, container.StateRunning, e.inspect(t, c.ID).State)
	game, _ := f.pids(t, c.ID)
	require.True(t, isAlive(game))
	kill(t, game)
	require.Equal(t, 137, *e.waitExited(t, c.ID).ExitCode)
}
