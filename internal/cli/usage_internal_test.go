package cli

import (
	"errors"
	"fmt"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

// TestCommandErrorNamesTheRequestOnce checks that the daemon's own name of a request is
// omitted, and that the error still matches its sentinel.
func TestCommandErrorNamesTheRequestOnce(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		commandLine []string
		text        string
		want        string
	}{
		{[]string{"get", "a"}, `get game "a": no such game`, "get a: no such game"},
		{[]string{"history", "a"}, `history of game "a": no such game`, "history a: no such game"},
		{[]string{"token revoke", "a"}, "revoke token a: no such token", "token revoke a: no such token"},
		{[]string{"explain", "a.b"}, `explain "a.b": no such game`, "explain a.b: no such game"},
		{[]string{"stop", "a"}, `get game "b": no such game`, `stop a: get game "b": no such game`},
		{[]string{"watch"}, "watch: revision is compacted", "watch: revision is compacted"},
		{[]string{"list"}, "cannot reach the daemon at x", "list: cannot reach the daemon at x"},
	} {
		err := newCommandError(row.commandLine, fmt.Errorf("%w", &notFoundError{row.text}))
		require.EqualError(t, err, row.want)
		require.ErrorIs(t, err, runtime.ErrNotFound)
	}
}

type notFoundError struct{ text string }

func (e *notFoundError) Error() string { return e.text }
func (e *notFoundError) Unwrap() error { return runtime.ErrNotFound }

// TestUnknownUsageErrorsAreUnchanged checks that a text that no rule matches is not changed.
func TestUnknownUsageErrorsAreUnchanged(t *testing.T) {
	t.Parallel()
	err := errors.New(`required flag(s) are odd`)
	require.Equal(t, err, rewordUsage(&cobra.Command{Use: "list"}, err))
	require.Equal(t, err, flagError(nil, err))
}

// TestDefaultDurationsAreShort checks that no help has a default such as 720h0m0s.
func TestDefaultDurationsAreShort(t *testing.T) {
	t.Parallel()
	defaults := map[string]string{}
	for _, cmd := range commands() {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "duration" {
				require.NotContains(t, f.DefValue, "m0s", f.Name)
				defaults[f.Name] = f.DefValue
			}
		})
	}
	require.Equal(t, "720h", defaults["expires"])
	require.Equal(t, "10m", defaults["etcd-retention"])
}

// TestOneFindingRemains checks the number of the verb.
func TestOneFindingRemains(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1 finding remains", remain(1))
	require.Equal(t, "2 findings remain", remain(2))
}
