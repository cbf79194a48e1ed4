package cli_test

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/cli"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// runOnColorTerminal runs a command line on a terminal and returns its output and exit
// code.
func runOnColorTerminal(t *testing.T, server string, env map[string]string, args ...string) (string, int) {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Main(t.Context(), append(args, "--server", server), cli.Streams{
		In: strings.NewReader(""), Out: &out, Err: &errs, IsTerminal: true,
		LookupEnv: func(name string) (string, bool) { value, ok := env[name]; return value, ok },
		Now:       func() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) },
	})
	return out.String() + errs.String(), code
}

// serveHostileGame serves a game whose texts are long and hostile.
func serveHostileGame(t *testing.T) (server string) {
	t.Helper()
	store := memstore.New()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	require.NoError(t, store.Upsert(t.Context(), runtime.RuntimeRecord{
		GameID: "chess-17", Status: runtime.StatusRunning, CreatedAt: at, LastOpAt: at, StartedAt: &at,
		CurrentContainerID: strings.Repeat("4f1c9a", 10), Node: "eu\x1b[2J", Region: "\u202eeu",
	}))
	api, err := httpserver.New(store, httpserver.Config{})
	require.NoError(t, err)
	web := httptest.NewServer(api.Handler())
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	return web.URL
}

func TestTerminalHasColorsAndShortensIDs(t *testing.T) {
	t.Parallel()
	server := serveHostileGame(t)
	text, code := runOnColorTerminal(t, server, nil, "list")
	require.Zero(t, code, text)
	require.Contains(t, text, "\x1b[32mrunning\x1b[0m")
	require.Contains(t, text, " 4f1c9a4f1c9a… ")
	require.Contains(t, text, " 24h")

	text, _ = runOnColorTerminal(t, server, nil, "list", "-o", "wide")
	require.Contains(t, text, strings.Repeat("4f1c9a", 10), "the wide format shortens nothing")
}

func TestColorsCanBeDisabled(t *testing.T) {
	t.Parallel()
	server := serveHostileGame(t)
	for name, run := range map[string]struct {
		env  map[string]string
		args []string
	}{
		"NO_COLOR":   {map[string]string{"NO_COLOR": "1"}, []string{"list"}},
		"TERM":       {map[string]string{"TERM": "dumb"}, []string{"list"}},
		"--no-color": {nil, []string{"list", "--no-color"}},
	} {
		text, code := runOnColorTerminal(t, server, run.env, run.args...)
		require.Zero(t, code, text)
		require.NotContains(t, text, "\x1b", name)
	}
}

// The texts of a record cannot control the terminal.
func TestTextsOfARecordCannotControlTheTerminal(t *testing.T) {
	t.Parallel()
	server := serveHostileGame(t)
	for _, args := range [][]string{
		{"list"}, {"list", "-o", "wide"}, {"get", "chess-17"}, {"list", "-o", "json"}, {"list", "-o", "yaml"},
		{"set-status", "chess-17", "--from", "stopped", "--to", "running"},
	} {
		text, _ := runOnColorTerminal(t, server, map[string]string{"NO_COLOR": "1"}, args...)
		require.NotContains(t, text, "\x1b", "%v", args)
		if format := args[len(args)-1]; format != "json" && format != "yaml" { // programs need the exact value
			require.NotContains(t, text, "\u202e", "%v", args)
		}
	}
}
