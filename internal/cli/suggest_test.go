package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The names of other tools lead to the command, and so do typing errors.
func TestSuggestedCommands(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"ps": "list", "run": "start", "rm": "delete", "describe": "explain", "kill": "stop", "status": "get", "update": "patch",
		"lsit": "list",
	} {
		got := run(t, "", typed, "game")
		got.requireCode(t, 2, typed)
		require.Contains(t, got.err, "did you mean `rtmanager "+want+"`", typed)
	}
	got := run(t, "", "frobnicate")
	require.NotContains(t, got.err, "did you mean")
}

func TestVersionFlags(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--version", "-v"} {
		got := run(t, "", flag)
		got.requireCode(t, 0, flag)
		require.Regexp(t, `^rtmanager \S+\n$`, got.out)
	}
}
