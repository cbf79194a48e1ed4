package enginetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// gameIDs are ids that an engine with a wrong encoding would confuse or change.
var gameIDs = []string{
	"game-42", "a", "A", "a/b", "a//b", "/a", "a/", "/", "%2F", "%252F", "100%", "🎲🚀", "משחק",
	strings.Repeat("y", 256), strings.Repeat("🎲", 64), strings.Repeat("/", 256), strings.Repeat("🎲", 63) + "abcd",
	"a b", " a ", "caf\u00e9", "cafe\u0301", `"a'\b`, "$HOME `id`", "a=b", "a,b=c", "...", "a/../b", "../a", ".a", "-a",
	"<b>&amp;", "a\u00a0b", "a\u200db", "\U0010fffd", "0", `{"game_id":"x"}`, "~a*",
}

func labelTests() []contractTest {
	return []contractTest{
		{"an engine returns labels byte for byte, for every game id", testLabelsOfManyGames},
		{"an engine returns the operation id and the generation unchanged", testLabelsOfOperation},
		{"a game with any id can run", testLabelsOfRunningGames},
	}
}

func testLabelsOfManyGames(t *testing.T, f *fixture) {
	for _, id := range gameIDs {
		f.create(t, f.spec(id))
	}
	require.Len(t, f.list(t, ""), len(gameIDs))
	for _, id := range gameIDs {
		found := f.list(t, id)
		require.Len(t, found, 1, "containers of game %q", id)
		require.Equal(t, f.spec(id).Labels, found[0].Labels)
		require.Equal(t, found[0], f.inspect(t, found[0].ID))
	}
}

func testLabelsOfOperation(t *testing.T, f *fixture) {
	spec := f.spec("game")
	spec.Labels.Generation = 1<<62 + 1
	spec.Labels.OperationID = "id of a client: 'ü' \"/\" 🎲"
	require.Equal(t, spec.Labels, f.create(t, spec).Labels)
	require.Equal(t, spec.Labels, f.list(t, "")[0].Labels)
}

func testLabelsOfRunningGames(t *testing.T, f *fixture) {
	for _, id := range []string{"a/../b", strings.Repeat("🎲", 64), `"a'\b`, "-a"} {
		c := f.start(t, f.create(t, f.spec(id)).ID)
		require.Equal(t, id, c.Labels.GameID)
		if f.RunsGames {
			clientOf(c).waitReady(t)
		}
	}
}
