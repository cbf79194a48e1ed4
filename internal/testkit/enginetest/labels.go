package enginetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// gameIDs are ids that a careless engine would confuse or alter.
var gameIDs = []string{
	"game-42", "a", "A", "a/b", "a//b", "/a", "a/", "/", "%2F", "%252F", "100%", "🎲🚀", "משחק",
	strings.Repeat("y", 256), strings.Repeat("🎲", 64), strings.Repeat("/", 256), strings.Repeat("🎲", 63) + "abcd",
	"a b", " a ", "caf\u00e9", "cafe\u0301", `"a'\b`, "$HOME `id`", "a=b", "a,b=c", "...", "a/../b", "../a", ".a", "-a",
	"<b>&amp;", "a\u00a0b", "a\u200db", "\U0010fffd", "0", `{"game_id":"x"}`, "~a*",
}

func labelBehaviours() []behaviour {
	return []behaviour{
		{"labels come back byte for byte, whatever the game is called", labelsSideBySide},
		{"the operation and the generation come back as they were given", labelsOfTheOperation},
		{"a game of any name runs", labelsOfRunningGames},
	}
}

func labelsSideBySide(t *testing.T, r *rig) {
	for _, id := range gameIDs {
		r.create(t, r.spec(id))
	}
	require.Len(t, r.list(t, ""), len(gameIDs))
	for _, id := range gameIDs {
		found := r.list(t, id)
		require.Len(t, found, 1, "containers of game %q", id)
		require.Equal(t, r.spec(id).Labels, found[0].Labels)
		require.Equal(t, found[0], r.inspect(t, found[0].ID))
	}
}

func labelsOfTheOperation(t *testing.T, r *rig) {
	spec := r.spec("game")
	spec.Labels.Generation = 1<<62 + 1
	spec.Labels.OperationID = "key of a client: 'ü' \"/\" 🎲"
	require.Equal(t, spec.Labels, r.create(t, spec).Labels)
	require.Equal(t, spec.Labels, r.list(t, "")[0].Labels)
}

func labelsOfRunningGames(t *testing.T, r *rig) {
	for _, id := range []string{"a/../b", strings.Repeat("🎲", 64), `"a'\b`, "-a"} {
		c := r.start(t, r.create(t, r.spec(id)).ID)
		require.Equal(t, id, c.Labels.GameID)
		if r.Games {
			game(c).ready(t)
		}
	}
}
