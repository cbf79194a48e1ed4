package cli_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// commandGames are games in which a command writes its input and its arguments, and exits with 7.
type commandGames struct{ httpserver.Games }

func (commandGames) Exec(_ context.Context, gameID string, command container.Command) (int, error) {
	if command.Args[0] == "true" {
		return 0, nil
	}
	if command.Stdin != nil {
		_, _ = io.Copy(command.Stdout, command.Stdin)
	}
	_, _ = io.WriteString(command.Stderr, gameID+": "+strings.Join(command.Args, "|"))
	return 7, nil
}

func TestExec(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	require.NoError(t, store.Upsert(t.Context(), localRecord("g")))
	daemon, _, err := servertest.New(store, servertest.Config{
		Config: httpserver.Config{Region: "eu", Node: "n1", Games: commandGames{}}, Local: &fakeManager{}, Nodes: testNodes()[:1],
	})
	require.NoError(t, err)
	server := serveHandler(t, daemon.Handler())
	for name, c := range map[string]struct {
		args     []string
		out, err string
		code     int
	}{
		"exit code and errors":  {args: []string{"exec", "g", "--", "ls", "-l", ""}, err: "g: ls|-l|", code: 7},
		"input":                 {args: []string{"exec", "g", "-i", "--", "cat"}, out: "text", err: "g: cat", code: 7},
		"success":               {args: []string{"exec", "g", "--", "true"}},
		"terminal without one":  {args: []string{"exec", "g", "-t", "--", "true"}, err: "warning: standard input is not a terminal; the command gets one of the default size\n"},
		"no game":               {args: []string{"exec", "other", "--", "ls"}, err: `game "other"`, code: 4},
		"no separator":          {args: []string{"exec", "g", "ls"}, err: `requires "--" between`, code: 2},
		"no command":            {args: []string{"exec", "g"}, err: "requires a GAME and a COMMAND", code: 2},
		"flags after separator": {args: []string{"exec", "g", "--", "ls", "-i"}, err: "g: ls|-i", code: 7},
	} {
		got := commandLine{args: c.args, server: server, stdin: "text"}.run(t.Context())
		require.Equal(t, c.code, got.code, name+": "+got.err)
		require.Equal(t, c.out, got.out, name)
		require.Contains(t, got.err, c.err, name)
	}
}
