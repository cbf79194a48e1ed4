package command_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos/command"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/chaos/report"
	"galaxy/rtmanager/internal/testkit/regions"
)

func TestMain(m *testing.M) { os.Exit(regions.Main(m)) }

// chaos executes the program.
func chaos(t *testing.T, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errors bytes.Buffer
	code = command.Main(t.Context(), arguments, &out, &errors)
	return code, out.String(), errors.String()
}

func TestHelpDescribesEveryCommand(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := chaos(t, "--help")
	require.Zero(t, code)
	require.Contains(t, stdout, "Exit codes")
	require.Empty(t, stderr)
	for _, name := range []string{"run", "check", "report"} {
		code, stdout, stderr = chaos(t, name, "--help")
		require.Zero(t, code)
		require.Contains(t, stdout, "chaos "+name)
		require.Contains(t, stdout, "-min-calls")
		require.Empty(t, stderr)
	}
}

func TestWrongUsageIsRejected(t *testing.T) {
	t.Parallel()
	daemon := "--daemon=eu/eu-1=http://127.0.0.1:1"
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("secret\n"), 0o600))
	for name, c := range map[string]struct {
		arguments []string
		message   string
	}{
		"no command":                {nil, "Usage:"},
		"unknown command":           {[]string{"delete"}, `unknown command "delete"`},
		"no daemon":                 {[]string{"run"}, "no daemon is given"},
		"malformed daemon":          {[]string{"run", "--daemon", "eu-1=http://127.0.0.1:1"}, "must be REGION/NODE=URL"},
		"daemon without a scheme":   {[]string{"run", "--daemon", "eu/eu-1=127.0.0.1:1"}, "must be REGION/NODE=URL"},
		"daemon twice":              {[]string{"run", daemon, daemon}, "given twice"},
		"unknown flag":              {[]string{"run", "--kill-all"}, "kill-all"},
		"argument of run":           {[]string{"run", daemon, "now"}, `unexpected argument "now"`},
		"malformed fault":           {[]string{"run", daemon, "--fault", "no commands"}, "NAME=INJECT;REPAIR"},
		"malformed id":              {[]string{"run", daemon, "--id", "../x"}, "--id"},
		"no time":                   {[]string{"run", daemon, "--duration", "0s"}, "must be positive"},
		"no game":                   {[]string{"run", daemon, "--games", "0"}, "must be at least 1"},
		"no response":               {[]string{"run", daemon, "--yes"}, "reach daemon eu/eu-1"},
		"unencrypted token":         {[]string{"run", "--daemon=eu/eu-1=http://192.0.2.1:1", "--token-file", token}, "without encryption"},
		"missing CA":                {[]string{"run", daemon, "--cacert", "missing"}, "CA certificates"},
		"check of nothing":          {[]string{"check"}, "it takes one directory"},
		"check without a recording": {[]string{"check", t.TempDir()}, "has no recording"},
		"report of a file":          {[]string{"report", token}, "find recordings"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := chaos(t, c.arguments...)
			require.Equal(t, command.ExitVoid, code)
			require.Contains(t, stderr, c.message)
		})
	}
}

// record writes a recording without calls, with the changes and the final health of a node.
func record(t *testing.T, dir string, calls, health int) {
	t.Helper()
	w, err := recording.Create(dir)
	require.NoError(t, err)
	for i := range calls {
		w.Call(recording.Call{Client: "c", Method: recording.Get, Game: "g", Started: int64(2 * i), Returned: int64(2*i + 1), Outcome: recording.NotFound})
	}
	w.Sample(recording.FinalHealth, "eu/eu-1", health)
	w.Sample(recording.FinalList, "eu/eu-1", []recording.Item{})
	w.Sample(recording.FinalFsck, "eu/eu-1", []string{})
	w.Sample(recording.FinalDrift, "eu/eu-1", []string{})
	require.NoError(t, w.Finish(recording.Run{Seed: 5, Nodes: []string{"eu/eu-1"}, NoChanges: true}))
}

func TestExitCodesOfCheckAndReport(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ calls, health, code int }{
		"right": {30, 200, command.ExitRight}, "broken": {30, 503, command.ExitBroken}, "void": {1, 200, command.ExitVoid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			record(t, filepath.Join(dir, "run-5"), c.calls, c.health)
			code, stdout, stderr := chaos(t, "check", dir)
			require.Equal(t, c.code, code)
			require.Contains(t, stdout, "run-5: seed 5")
			require.Contains(t, stdout, "skipped rules")
			require.Contains(t, stdout, name)
			require.Empty(t, stderr)
			require.FileExists(t, filepath.Join(dir, report.SummaryPageFile))
			require.FileExists(t, filepath.Join(dir, "run-5", report.PageFile))

			code, _, _ = chaos(t, "report", dir)
			require.Zero(t, code)
		})
	}
}
