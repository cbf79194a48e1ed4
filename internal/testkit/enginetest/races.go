package enginetest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// rivals is how many callers do the same at once.
const rivals = 8

func raceBehaviours(h Harness) []behaviour {
	behaviours := []behaviour{
		{"creates of one name and operation make one container", raceCreates},
		{"of creates of one name by several operations one succeeds", raceClashes},
		{"stops of one container all succeed", func(t *testing.T, r *rig) {
			c := r.runReady(t)
			together(func(n int) {
				grace := []time.Duration{longGrace, 0}[n%2]
				assert.NoError(t, r.engine.Stop(t.Context(), c.ID, grace))
			})
			require.Equal(t, container.StateExited, r.inspect(t, c.ID).State)
		}},
		{"removals of one container all succeed", func(t *testing.T, r *rig) {
			c := r.run(t)
			together(func(int) { assert.NoError(t, r.engine.Remove(t.Context(), c.ID)) })
			r.requireGone(t, c.ID)
		}},
		{"lives of several games do not mix", raceLives},
		{"starts, stops and views of one container never contradict the contract", raceEverything},
	}
	if h.Games {
		behaviours = append(behaviours, behaviour{"starts of one container start one game", raceStarts})
	}
	return behaviours
}

// together calls f with 0, 1, … at once and waits for all.
func together(f func(n int)) {
	var all sync.WaitGroup
	for n := range rivals {
		all.Go(func() { f(n) })
	}
	all.Wait()
}

func raceCreates(t *testing.T, r *rig) {
	spec := r.spec("game")
	made := make([]container.Container, rivals)
	together(func(n int) {
		c, err := r.engine.Create(t.Context(), spec)
		assert.NoError(t, err)
		made[n] = c
	})
	for _, c := range made {
		require.Equal(t, made[0].ID, c.ID)
	}
	require.Len(t, r.list(t, ""), 1)
}

func raceClashes(t *testing.T, r *rig) {
	spec := r.spec("game")
	errs := make([]error, rivals)
	together(func(n int) {
		mine := spec
		mine.Labels.OperationID = "op-" + string(rune('a'+n))
		_, errs[n] = r.engine.Create(t.Context(), mine)
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, container.ErrContainerExists)
	}
	require.Equal(t, 1, won)
	require.Len(t, r.list(t, ""), 1)
}

func raceStarts(t *testing.T, r *rig) {
	c := r.create(t, r.spec("game"))
	together(func(int) { assert.NoError(t, r.engine.Start(t.Context(), c.ID)) })
	c = r.inspect(t, c.ID)
	game(c).ready(t)
	var log string // an engine may hand it on a little later than the game has written it
	eventually(t, "the first line comes", func() bool {
		log = strings.Join(r.logs(t, c.ID, 1000), "\n")
		return strings.Contains(log, "starts as process")
	})
	require.Equal(t, 1, strings.Count(log, "starts as process"), log)
}

func raceLives(t *testing.T, r *rig) {
	together(func(n int) {
		ctx, name := t.Context(), "game-"+string(rune('a'+n))
		c, err := r.engine.Create(ctx, r.spec(name))
		if !assert.NoError(t, err) {
			return
		}
		assert.NoError(t, r.engine.Start(ctx, c.ID))
		listed, err := r.engine.List(ctx, name)
		assert.NoError(t, err)
		assert.Equal(t, []string{c.ID}, idsOf(listed))
		assert.NoError(t, r.engine.Stop(ctx, c.ID, 0))
		c, err = r.engine.Inspect(ctx, c.ID)
		assert.NoError(t, err)
		assert.Equal(t, container.StateExited, c.State)
		assert.NoError(t, r.engine.Remove(ctx, c.ID))
	})
	require.Empty(t, r.list(t, ""))
}

func raceEverything(t *testing.T, r *rig) {
	c := r.create(t, r.spec("game"))
	together(func(n int) {
		for range 5 {
			switch n % 4 {
			case 0:
				assert.NoError(t, r.engine.Start(t.Context(), c.ID))
			case 1:
				assert.NoError(t, r.engine.Stop(t.Context(), c.ID, 0))
			case 2:
				seen, err := r.engine.Inspect(t.Context(), c.ID)
				assert.NoError(t, err)
				assert.Contains(t, []container.State{container.StateCreated, container.StateRunning, container.StateExited}, seen.State)
			default:
				all, err := r.engine.List(t.Context(), "game")
				assert.NoError(t, err)
				assert.Equal(t, []string{c.ID}, idsOf(all))
			}
		}
	})
	r.stop(t, c.ID, 0)
	require.NotEqual(t, container.StateRunning, r.inspect(t, c.ID).State)
	require.Equal(t, container.StateRunning, r.start(t, c.ID).State)
}
