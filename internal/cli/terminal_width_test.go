package cli_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli"
	"galaxy/rtmanager/internal/cli/internal/render"
)

// The rows of a list fit into the lines of a terminal. Ids are shortened in the middle, and images
// keep their tags.
func TestTablesFitTheTerminal(t *testing.T) {
	t.Parallel()
	long := runningRecord("match-" + strings.Repeat("x", 240) + "-17")
	long.Region, long.Node, long.CurrentContainerID = "eu", "eu-1", strings.Repeat("4f1c9a", 10)
	long.CurrentImageRef = "registry.example.com/team/gameserver:1.2.3"
	handler, _ := newAPI(t, runningRecord("game"), long)
	server := serveHandler(t, handler)
	onTerminal := func(width int, args ...string) string {
		var out, errs bytes.Buffer
		code := cli.Main(t.Context(), append(args, "--no-color", "--server", server), cli.Streams{
			In: strings.NewReader(""), Out: &out, Err: &errs, IsTerminal: true, Width: func() int { return width },
			LookupEnv: func(string) (string, bool) { return "", false },
			Now:       func() time.Time { return tomorrow },
		})
		require.Contains(t, []int{0, 124}, code, errs.String())
		return out.String()
	}
	for _, args := range [][]string{
		{"list"}, {"list", "--watch", "--timeout", "200ms"}, {"list", "--show-labels"}, {"watch", "--timeout", "200ms"},
	} {
		for _, width := range []int{80, 100, 200} {
			text := onTerminal(width, args...)
			for line := range strings.Lines(text) {
				require.LessOrEqual(t, render.Width(strings.TrimSuffix(line, "\n")), width, "%q:\n%s", args, text)
			}
			require.Contains(t, text, ":1.2.3", args)
			require.Regexp(t, `ma[tchx-]*…[x-]*17 `, text, args)
		}
	}
	wide := onTerminal(80, "list", "-o", "wide")
	require.Contains(t, wide, long.GameID)
	require.Contains(t, wide, long.CurrentImageRef)
}
