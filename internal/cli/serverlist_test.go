package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Commands use the first of several daemons that can be reached; the error names all of them.
func TestSeveralServers(t *testing.T) {
	t.Parallel()
	handler, _ := newAPI(t, runningRecord("game"))
	server := serveHandler(t, handler)
	for name, c := range map[string]commandLine{
		"separated by commas": {args: []string{"get", "game", "--server", unusedAddress + "," + server}},
		"repeated":            {args: []string{"get", "game", "--server", unusedAddress, "--server", server}},
		"environment":         {args: []string{"get", "game"}, server: unusedAddress + ", " + server},
		"write":               {args: []string{"label", "game", "env=prod"}, server: unusedAddress + "," + server},
		"operation":           {args: []string{"stop", "game"}, server: unusedAddress + "," + server},
		"watch":               {args: []string{"list", "-w", "--timeout", "100ms"}, server: unusedAddress + "," + server},
	} {
		want := 0
		if name == "watch" {
			want = 124 // the watch lasts until then
		}
		c.run(t.Context()).requireCode(t, want, name)
	}
	got := run(t, unusedAddress+",http://127.0.0.2:1", "get", "game")
	got.requireCode(t, 5, "no daemon")
	require.Contains(t, got.err, "cannot reach any of 2 daemons: http://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused; http://127.0.0.2:1: dial tcp")
	require.Contains(t, got.err, "hint: no daemon responds at http://127.0.0.1:1, http://127.0.0.2:1; start one")
	for _, invalid := range []string{",", "http://a:1,localhost:2", "http://a:1,http://u:secret@"} {
		got := run(t, "", "list", "--server", invalid)
		got.requireCode(t, 2, invalid)
		require.NotContains(t, got.err, "secret")
	}
}

// A context may have several servers. Its credentials are for each of them, and for no other.
func TestContextsWithSeveralServers(t *testing.T) {
	t.Parallel()
	handler, _ := newAPI(t, runningRecord("game"))
	server := serveHandler(t, handler)
	env := map[string]string{"XDG_CONFIG_HOME": t.TempDir(), "RTMANAGER_SERVER": ""}
	commands := func(args ...string) result { return commandLine{args: args, env: env}.run(t.Context()) }
	commands("context", "set", "prod", "--server", unusedAddress+","+server).requireCode(t, 0, "set")
	commands("get", "game").requireCode(t, 0, "get")
	commands("get", "game", "--context", "prod", "--server", server).requireCode(t, 0, "one of the servers")
	got := commands("get", "game", "--context", "prod", "--server", "http://127.0.0.1:2")
	got.requireCode(t, 2, "another server")
	require.Contains(t, got.err, `--server http://127.0.0.1:2 is not a server of context "prod"`)
	commands("context", "set", "prod", "--server", "http://a,b").requireCode(t, 2, "invalid")
}
