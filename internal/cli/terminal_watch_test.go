package cli_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/logtest"
)

// screen is both outputs of a terminal, in the order of the writes.
type screen struct{ logtest.Buffer }

// requireText waits until the screen shows the text.
func (s *screen) requireText(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(s.String(), text) }, 30*time.Second, time.Millisecond,
		"the screen never shows %q, but\n%s", text, s)
}

// On a terminal a watch has aligned columns, readable changes, and messages in between.
func TestWatchInATerminal(t *testing.T) {
	t.Parallel()
	evil := runningRecord("a\u202eb")
	evil.Node = "eu\x1b[2J"
	handler, store := newAPI(t, runningRecord("chess-17"), evil)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var shown screen
	exitCode := make(chan int)
	server := serveHandler(t, handler)
	go func() {
		exitCode <- cli.Main(ctx, []string{"watch", "--server", server, "--no-color"}, cli.Streams{
			Out: &shown, Err: &shown, IsTerminal: true, Now: func() time.Time { return tomorrow },
			LookupEnv: func(string) (string, bool) { return "", false },
		})
	}()
	shown.requireText(t, "watching for changes")
	update := func(id string, from, to runtime.Status) {
		require.NoError(t, store.UpdateStatus(ctx, ports.UpdateStatusInput{GameID: id, ExpectedFrom: from, To: to, Now: noon.Add(time.Hour)}))
	}
	update("chess-17", runtime.StatusRunning, runtime.StatusStopped)
	update("chess-17", runtime.StatusStopped, runtime.StatusRemoved)
	require.NoError(t, store.Upsert(ctx, runningRecord("a-game-whose-name-is-long")))
	shown.requireText(t, "a-game-whose-name-is-long")
	interrupt()
	require.Equal(t, 130, <-exitCode)

	require.Equal(t, `TIME      REVISION  GAME                  CHANGE             CONTAINER      NODE        IMAGE
12:00:00  3         "a\u202eb"            running            c1             "eu\x1b[2J"  -
12:00:00  3         chess-17              running            c1             -            -
rtmanager: watch: 2 games at revision 3; watching for changes
13:00:00  4         chess-17              running → stopped  c1             -            -
13:00:00  5         chess-17              stopped → removed  -              -            -
12:00:00  6         a-game-whose-name-is-long  - → running        c1             -            -
`, shown.String())
}
