package enginetest

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func gameBehaviours(h Harness) []behaviour {
	if !h.Games {
		return nil
	}
	return []behaviour{
		{"a game is reached at its endpoint, and again after another start", gameAnswers},
		{"arguments arrive as they were given", gameArgs},
		{"variables arrive as they were given", gameVariables},
		{"one that runs is not disturbed by a second start", gameUndisturbed},
	}
}

func gameAnswers(t *testing.T, r *rig) {
	c := r.run(t)
	game(c).ready(t)
	r.stop(t, c.ID, longGrace)
	game(c).requireSilent(t)
	game(r.start(t, c.ID)).ready(t)
}

func gameArgs(t *testing.T, r *rig) {
	args := []string{"--healthy-after=1ms", "--", "", " a b ", `'"\`, "$HOME", "`id`", "*", "🎲", "a\nb", "-x", "a=b"}
	c := r.run(t, args...)
	game(c).ready(t)
	require.Equal(t, args, game(c).identity(t).Args)
}

func gameVariables(t *testing.T, r *rig) {
	want := map[string]string{
		"GREETING": "hello", "EMPTY": "", "QUOTES": `'a' "b" \c`, "LINES": "a\nb\n", "SHELL_LIKE": "$HOME `id` $(id)",
		"WITH_EQUALS": "a=b", "with.dots-and-dashes": "x", "UTF8": "🎲", "1ST": "y",
	}
	spec := r.spec("game")
	spec.Env = want
	c := r.start(t, r.create(t, spec).ID)
	game(c).ready(t)
	for name, value := range want {
		got, there := game(c).variable(t, name)
		require.True(t, there, "variable %s", name)
		require.Equal(t, value, got, "variable %s", name)
	}
	port, _ := game(c).variable(t, "PORT")
	number, err := strconv.Atoi(port)
	require.NoError(t, err, "PORT tells where to listen")
	require.Positive(t, number)
}

func gameUndisturbed(t *testing.T, r *rig) {
	c := r.run(t)
	game(c).ready(t)
	before := game(c).identity(t)
	r.start(t, c.ID)
	after := game(c).identity(t)
	require.Equal(t, before.PID, after.PID)
	require.GreaterOrEqual(t, after.Uptime, before.Uptime)
}
