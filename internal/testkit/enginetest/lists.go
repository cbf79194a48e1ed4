package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func listBehaviours() []behaviour {
	return []behaviour{
		{"none is an empty slice", func(t *testing.T, r *rig) {
			require.Empty(t, r.list(t, ""))
			require.Empty(t, r.list(t, "game"))
		}},
		{"all games' containers are listed in every state, as inspect tells of them", listAll},
		{"one game's containers are listed, and no other's", listOne},
		{"what is listed shares no memory with the engine", listIsACopy},
	}
}

func listAll(t *testing.T, r *rig) {
	created := r.create(t, r.spec("a"))
	running := r.start(t, r.create(t, r.spec("b")).ID)
	exited := r.stop(t, r.start(t, r.create(t, r.spec("c")).ID).ID, 0)
	require.ElementsMatch(t, []container.Container{created, running, exited}, r.list(t, ""))
	for _, c := range r.list(t, "") {
		require.Equal(t, r.inspect(t, c.ID), c)
	}
}

func listOne(t *testing.T, r *rig) {
	first, second := r.create(t, r.spec("a")), r.create(t, r.spec("a"))
	r.create(t, r.spec("a/b"))
	r.create(t, r.spec("A"))
	require.ElementsMatch(t, []container.Container{first, second}, r.list(t, "a"))
	require.Empty(t, r.list(t, "b"))
}

func listIsACopy(t *testing.T, r *rig) {
	c := r.run(t)
	r.crash(t, c, 4)
	before := r.exited(t, c.ID)
	spoilt := r.list(t, "")[0]
	*spoilt.ExitCode = 99
	*spoilt.StartedAt = spoilt.StartedAt.AddDate(1, 0, 0)
	after := r.inspect(t, c.ID)
	require.Equal(t, 4, *after.ExitCode)
	require.True(t, before.StartedAt.Equal(*after.StartedAt))
}
