package cli_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

func TestCompletionOfGames(t *testing.T) {
	t.Parallel()
	var records []runtime.RuntimeRecord
	for _, id := range []string{"chess-17", "eu/chess", "großes-1", "$(reboot)", "a b", "-rf", "\u202echess", "it's", "~root", "*"} {
		records = append(records, runningRecord(id))
	}
	records = append(records, stoppedRecord("chess-18"))
	handler, _ := newAPI(t, records...)
	server := serveHandler(t, handler)
	completions := func(words ...string) []string {
		got := run(t, server, append([]string{"__complete"}, words...)...)
		got.requireCode(t, 0, words)
		lines := strings.Split(strings.TrimSpace(got.out), "\n")
		return lines[:len(lines)-1] // the last one is for the shell
	}
	require.ElementsMatch(t, []string{"chess-17\trunning", "chess-18\tstopped", "eu/chess\trunning", "großes-1\trunning"},
		completions("get", ""), "ids that a shell would have to quote must be omitted")
	require.ElementsMatch(t, []string{"chess-17\trunning", "chess-18\tstopped"}, completions("history", "ch"))
	require.ElementsMatch(t, []string{"eu/chess\trunning"}, completions("set-status", "eu"))
	require.ElementsMatch(t, []string{"chess-17\trunning", "chess-18\tstopped"}, completions("watch", "--game", "chess"))
	require.Equal(t, []string{""}[:0], completions("history", "chess-17", ""), "there is only one game argument")
	require.ElementsMatch(t, []string{"chess-17\trunning"}, completions("stop", "eu/chess", "ch"), "running games that are not given yet")
	require.ElementsMatch(t, []string{"chess-18\tstopped"}, completions("start", "ch"))
	require.ElementsMatch(t, []string{"chess-17\trunning", "chess-18\tstopped"}, completions("patch", "ch"))
	require.Empty(t, completions("delete", ""))
}

// TestCompletionOfNodesAndRegions checks that the present nodes complete a placement and
// a filter, and that the names of a new daemon are not completed.
func TestCompletionOfNodesAndRegions(t *testing.T) {
	t.Parallel()
	handler, _ := newAPI(t)
	server := serveHandler(t, handler)
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"start", "g", "--node", ""}, "n1\n:4\n"},
		{[]string{"start", "g", "--region", "e"}, "eu\n:4\n"},
		{[]string{"list", "--node", "n"}, "n1\n:4\n"},
		{[]string{"watch", "--region", "us"}, ":4\n"},
		{[]string{"serve", "--node", ""}, ":0\n"},
		{[]string{"serve", "--auth", ""}, "auto\non\noff\n:4\n"},
		{[]string{"nodes", "remove", ""}, "eu/n1\n:4\n"},
		{[]string{"operation", "get", ""}, ":4\n"},
	} {
		got := run(t, server, append([]string{"__complete"}, c.words...)...)
		got.requireCode(t, 0, c.words)
		require.Equal(t, c.want, got.out, c.words)
	}
}

// Images and labels are completed by those of the games.
func TestCompletionOfImagesAndLabels(t *testing.T) {
	t.Parallel()
	one, two := runningRecord("one"), stoppedRecord("two")
	one.CurrentImageRef, one.Labels = "game:1.0.0", map[string]string{"env": "prod", "mode": "ranked"}
	two.CurrentImageRef, two.Labels = "game:1.0.1", map[string]string{"env": "dev"}
	handler, _ := newAPI(t, one, two)
	server := serveHandler(t, handler)
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"patch", "one", "--image", "game"}, "game:1.0.0\ngame:1.0.1\n:4\n"},
		{[]string{"list", "-l", ""}, "env=dev\nenv=prod\nmode=ranked\n:4\n"},
		{[]string{"stop", "-l", "env=prod,m"}, "env=prod,mode=ranked\n:4\n"},
		{[]string{"list", "-L", "mode,e"}, "mode,env\n:4\n"},
		{[]string{"label", "o"}, "one\trunning\n:4\n"},
		{[]string{"label", "one", "mo"}, "mode=ranked\n:4\n"},
		{[]string{"cordon", ""}, "eu/n1\n:4\n"},
		{[]string{"move", "one", "--to", ""}, "eu/n1\n:4\n"},
		{[]string{"serve", "--engine", ""}, "auto\ndocker\nprocess\nnone\n:4\n"},
	} {
		got := run(t, server, append([]string{"__complete"}, c.words...)...)
		got.requireCode(t, 0, c.words)
		require.Equal(t, c.want, got.out, c.words)
	}
}
