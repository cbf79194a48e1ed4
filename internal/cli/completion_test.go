package cli_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

func TestCompletionOffersTheGamesThereAre(t *testing.T) {
	t.Parallel()
	var records []runtime.RuntimeRecord
	for _, id := range []string{"chess-17", "eu/chess", "großes-1", "$(reboot)", "a b", "-rf", "\u202echess", "it's", "~root", "*"} {
		records = append(records, game(id))
	}
	records = append(records, stopped("chess-18"))
	handler, _ := api(t, records...)
	server := serving(t, handler)
	offered := func(words ...string) []string {
		got := run(t, server, append([]string{"__complete"}, words...)...)
		got.requireCode(t, 0, words)
		lines := strings.Split(strings.TrimSpace(got.out), "\n")
		return lines[:len(lines)-1] // the last one is for the shell
	}
	require.ElementsMatch(t, []string{"chess-17\trunning", "chess-18\tstopped", "eu/chess\trunning", "großes-1\trunning"},
		offered("get", ""), "what a shell would have to quote must be left out")
	require.ElementsMatch(t, []string{"chess-17\trunning", "chess-18\tstopped"}, offered("history", "ch"))
	require.ElementsMatch(t, []string{"eu/chess\trunning"}, offered("set-status", "eu"))
	require.ElementsMatch(t, []string{"chess-17\trunning", "chess-18\tstopped"}, offered("watch", "--game", "chess"))
	require.Equal(t, []string{""}[:0], offered("get", "chess-17", ""), "there is no second game to name")
}
