package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func listTests() []contractTest {
	return []contractTest{
		{"List returns an empty slice if there is no container", func(t *testing.T, f *fixture) {
			require.Empty(t, f.list(t, ""))
			require.Empty(t, f.list(t, "game"))
		}},
		{"List returns the containers of all games in every state, as Inspect returns them", testListAll},
		{"List of a game returns the containers of that game only", testListOneGame},
		{"the result of List shares no memory with the engine", testListIsACopy},
	}
}

func testListAll(t *testing.T, f *fixture) {
	created := f.create(t, f.spec("a"))
	running := f.start(t, f.create(t, f.spec("b")).ID)
	exited := f.stop(t, f.start(t, f.create(t, f.spec("c")).ID).ID, 0)
	require.ElementsMatch(t, []container.Container{created, running, exited}, f.list(t, ""))
	for _, c := range f.list(t, "") {
		require.Equal(t, f.inspect(t, c.ID), c)
	}
}

func testListOneGame(t *testing.T, f *fixture) {
	first, second := f.create(t, f.spec("a")), f.create(t, f.spec("a"))
	f.create(t, f.spec("a/b"))
	f.create(t, f.spec("A"))
	require.ElementsMatch(t, []container.Container{first, second}, f.list(t, "a"))
	require.Empty(t, f.list(t, "b"))
}

func testListIsACopy(t *testing.T, f *fixture) {
	c := f.run(t)
	f.crash(t, c, 4)
	before := f.waitExited(t, c.ID)
	listed := f.list(t, "")[0]
	*listed.ExitCode = 99
	*listed.StartedAt = listed.StartedAt.AddDate(1, 0, 0)
	after := f.inspect(t, c.ID)
	require.Equal(t, 4, *after.ExitCode)
	require.True(t, before.StartedAt.Equal(*after.StartedAt))
}
