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

// victimDir names the variable that turns the test program into a daemon that is
// to be killed, on the site of that directory; victimTask says what it does.
const (
	victimDir  = "PROCESSENGINE_VICTIM_DIR"
	victimTask = "PROCESSENGINE_VICTIM_TASK"
)

func victim(dir string) {
	s := site{dir: dir + "/node", images: dir + "/images"}
	e, err := processengine.Open(s.config(owner))
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	switch os.Getenv(victimTask) {
	case "start":
		startGames(e)
	default:
		for n := range 4 {
			go liveFast(e, n)
		}
	}
	select {}
}

// startGames starts three games and names their containers on standard output.
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

// liveFast creates, starts, stops and removes containers of three names as fast
// as it can, and says so.
func liveFast(e *processengine.Engine, n int) {
	ctx := context.Background()
	for {
		fmt.Println("lives")
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
			fmt.Println("life:", err)
			os.Exit(1)
		}
	}
}

// runVictim runs a daemon of the task on the site, and kills it when it has said
// so many lines, which it returns.
func (s site) runVictim(t *testing.T, task string, lines int) (said []string) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), victimDir+"="+strings.TrimSuffix(s.dir, "/node"), victimTask+"="+task)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	for reader := bufio.NewReader(stdout); len(said) < lines; {
		line, err := reader.ReadString('\n')
		require.NoError(t, err, "the daemon ends by itself: %q", said)
		require.NotContains(t, line, ":", "the daemon fails")
		said = append(said, strings.TrimSpace(line))
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // "signal: killed"
	return said
}
