package enginetest

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func gameTests(h Harness) []contractTest {
	if !h.RunsGames {
		return nil
	}
	return []contractTest{
		{"a game responds at its endpoint, also after another start", testGameEndpoint},
		{"a game receives its arguments unchanged", testGameArgs},
		{"a game receives its environment variables unchanged", testGameVariables},
		{"a second Start does not affect a running game", testGameSecondStart},
	}
}

func testGameEndpoint(t *testing.T, f *fixture) {
	c := f.run(t)
	clientOf(c).waitReady(t)
	f.stop(t, c.ID, longGrace)
	clientOf(c).requireClosed(t)
	clientOf(f.start(t, c.ID)).waitReady(t)
}

func testGameArgs(t *testing.T, f *fixture) {
	args := []string{"--healthy-after=1ms", "--", "", " a b ", `'"\`, "$HOME", "`id`", "*", "🎲", "a\nb", "-x", "a=b"}
	c := f.run(t, args...)
	clientOf(c).waitReady(t)
	require.Equal(t, args, clientOf(c).processInfo(t).Args)
}

func testGameVariables(t *testing.T, f *fixture) {
	want := map[string]string{
		"GREETING": "hello", "EMPTY": "", "QUOTES": `'a' "b" \c`, "LINES": "a\nb\n", "SHELL_LIKE": "$HOME `id` $(id)",
		"WITH_EQUALS": "a=b", "with.dots-and-dashes": "x", "UTF8": "🎲", "1ST": "y",
	}
	spec := f.spec("game")
	spec.Env = want
	c := f.start(t, f.create(t, spec).ID)
	clientOf(c).waitReady(t)
	for name, value := range want {
		got, found := clientOf(c).variable(t, name)
		require.True(t, found, "variable %s", name)
		require.Equal(t, value, got, "variable %s", name)
	}
	port, _ := clientOf(c).variable(t, "PORT")
	number, err := strconv.Atoi(port)
	require.NoError(t, err, "PORT is the port to listen on")
	require.Positive(t, number)
}

func testGameSecondStart(t *testing.T, f *fixture) {
	c := f.run(t)
	clientOf(c).waitReady(t)
	before := clientOf(c).processInfo(t)
	f.start(t, c.ID)
	after := clientOf(c).processInfo(t)
	require.Equal(t, before.PID, after.PID)
	require.GreaterOrEqual(t, after.Uptime, before.Uptime)
}
