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

// The engine kills the processes that the game leaves, also if the shim was killed before.
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
	eventually(t, "the game exits", func() bool { return !isAlive(game) })
	require.True(t, isAlive(pid))
	require.True(t, isAlive(parent), "the shim waits for all processes")

	e = f.open(t)
	require.Equal(t, 137, *e.waitExited(t, c.ID).ExitCode)
	waitDead(t, pid)
}

func TestAGameWithoutDescriptorsReceivesSIGTERM(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.putScript(t, "closing:1", "exec 3>&-; trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
	e := f.open(t)
	c := e.start(t, imageSpec("closing:1"))
	eventually(t, "the game is ready", func() bool {
		lines, err := e.Logs(t.Context(), c.ID, 1)
		return err == nil && len(lines) == 1 && lines[0] == "ready"
	})
	require.NoError(t, e.Stop(t.Context(), c.ID, longGrace))
	require.Equal(t, 9, *e.inspect(t, c.ID).ExitCode)
}

// A power cut or an operator can kill games and their parents. Nothing then starts the game.
func TestAGameThatIsKilledWithItsParentStaysExited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.open(t)
	c := e.start(t, spec("a"))
	require.NoError(t, e.Close())
	game, parent := f.pids(t, c.ID)
	kill(t, parent)
	kill(t, game)
	waitDead(t, game)
	e = f.open(t)
	require.Nil(t, e.waitExited(t, c.ID).ExitCode)
	require.NoError(t, e.Close())
	require.Equal(t, container.StateExited, f.open(t).inspect(t, c.ID).State)
}

// Without its shim, a game writes to a pipe that the engine reads, also the next engine.
func TestTheOutputOfAGameWithoutItsParentIsLogged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.putScript(t, "counting:1", `i=0; while :; do i=$((i+1)); echo "line $i of more than the buffer of a pipe"; done`)
	e := f.open(t)
	c := e.start(t, imageSpec("counting:1"))
	_, parent := e.pids(t, c.ID)
	kill(t, parent)
	waitDead(t, parent)
	requireProgress := func() {
		t.Helper()
		before, err := e.Logs(t.Context(), c.ID, 1)
		require.NoError(t, err)
		eventually(t, "the game writes", func() bool {
			after, err := e.Logs(t.Context(), c.ID, 1)
			return err == nil && len(after) == 1 && after[0] != before[0]
		})
	}
	eventually(t, "the game has written", func() bool {
		lines, err := e.Logs(t.Context(), c.ID, 1)
		return err == nil && len(lines) == 1
	})
	for range 3 {
		requireProgress()
	}
	require.NoError(t, e.Close())
	e = f.open(t)
	for range 3 {
		requireProgress()
	}
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
}

// A launcher exits with code 0. Its container runs until the game exits, with its exit code.
func TestTheExitCodeOfAGameWithALauncher(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.putScript(t, "launcher:1", "setsid sh -c 'until [ -e go ]; do sleep 0.05; done; exit 7' >/dev/null 2>&1 &")
	e := f.open(t)
	c := e.start(t, imageSpec("launcher:1"))
	eventually(t, "the launcher exits", func() bool { return fileSize(filepath.Join(f.containerDir(c.ID), "exit")) > 0 })
	launched := time.Now()
	eventually(t, "it counts as a launcher", func() bool { return time.Since(launched) > 400*time.Millisecond })
	require.Equal(t, container.StateRunning, e.inspect(t, c.ID).State)
	require.NoError(t, os.WriteFile(filepath.Join(c.StatePath, "go"), nil, 0o600))
	require.Equal(t, 7, *e.waitExited(t, c.ID).ExitCode)
}

// The kernel kills a process that exceeds the memory of the container. It is the reason for the
// exit only if it was the game.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	if !hasLimits() {
		t.Skip("this machine does not permit limits")
	}
	for name, test := range map[string]struct {
		script string
		code   int
	}{
		"game":  {"exec tail /dev/zero", 137}, // tail keeps the whole line in memory
		"child": {"tail /dev/zero; exit 3", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.putScript(t, "greedy:1", test.script)
			e := f.open(t)
			limited := imageSpec("greedy:1")
			limited.MemoryBytes = 16 << 20
			exited := e.waitExited(t, e.start(t, limited).ID)
			require.Equal(t, test.code, *exited.ExitCode)
			require.Equal(t, name == "game", exited.OOMKilled)
			require.Equal(t, name == "child", exited.ChildOOMKilled)
			require.NoError(t, e.Close())
			require.Equal(t, exited, f.open(t).inspect(t, exited.ID))
		})
	}
}
