package processengine_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine"
)

// daemonDir is the environment variable that makes the test program a daemon process with the
// fixture in that directory. daemonTask is the variable that selects what the daemon does.
const (
	daemonDir  = "PROCESSENGINE_DAEMON_DIR"
	daemonTask = "PROCESSENGINE_DAEMON_TASK"
)

// The tasks of the daemon process.
const (
	taskStartGames    = "start games"
	taskRunLifecycles = "run lifecycles"
)

// runDaemon is the main function of the daemon process.
func runDaemon(dir string) {
	f := fixture{dir: dir + "/node", images: dir + "/images"}
	e, err := processengine.Open(f.config(owner))
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	switch os.Getenv(daemonTask) {
	case taskStartGames:
		startGames(e)
	case taskRunLifecycles:
		for n := range 4 {
			go runLifecycles(e, n)
		}
	}
	select {}
}

// startGames starts three games and prints the ids of their containers.
func startGames(e *processengine.Engine) {
	for _, game := range []string{"runs", "crashes", "is-killed"} {
		c, err := e.Create(context.Background(), spec(game))
		if err == nil {
			err = e.Start(context.Background(), c.ID)
		}
		if err != nil {
			fmt.Println("start:", err)
			os.Exit(1)
		}
		fmt.Println(c.ID)
	}
}

// runLifecycles creates, starts, stops and removes containers of three names as fast as
// possible, and prints a line for each.
func runLifecycles(e *processengine.Engine, n int) {
	ctx := context.Background()
	for {
		fmt.Println("next")
		c, err := e.Create(ctx, spec(fmt.Sprintf("game-%d-%d", n, rand.IntN(3))))
		if err == nil && rand.IntN(4) > 0 {
			err = e.Start(ctx, c.ID)
		}
		if err == nil && rand.IntN(4) == 0 {
			err = e.Stop(ctx, c.ID, 0)
		}
		if err == nil && rand.IntN(2) == 0 {
			err = e.Remove(ctx, c.ID)
		}
		if err != nil {
			fmt.Println("lifecycle:", err)
			os.Exit(1)
		}
	}
}

// killDaemon runs a daemon process with the task, kills it when it has printed that many
// lines, and returns the lines.
func (f fixture) killDaemon(t *testing.T, task string, lines int) (printed []string) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), daemonDir+"="+strings.TrimSuffix(f.dir, "/node"), daemonTask+"="+task)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	for reader := bufio.NewReader(stdout); len(printed) < lines; {
		line, err := reader.ReadString('\n')
		require.NoError(t, err, "the daemon exits by itself: %q", printed)
		require.NotContains(t, line, ":", "the daemon fails")
		printed = append(printed, strings.TrimSpace(line))
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // "signal: killed"
	return printed
}
