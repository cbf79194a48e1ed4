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

// concurrentCallers is the number of callers in a concurrency test.
const concurrentCallers = 8

func concurrencyTests(h Harness) []contractTest {
	tests := []contractTest{
		{"concurrent Creates of one name and operation create one container", testConcurrentCreates},
		{"exactly one of concurrent Creates of one name by several operations succeeds", testConcurrentCreatesOfOneName},
		{"concurrent Stops of one container all succeed", func(t *testing.T, f *fixture) {
			c := f.runReady(t)
			runConcurrently(func(n int) {
				grace := []time.Duration{longGrace, 0}[n%2]
				assert.NoError(t, f.engine.Stop(t.Context(), c.ID, grace))
			})
			require.Equal(t, container.StateExited, f.inspect(t, c.ID).State)
		}},
		{"concurrent Removes of one container all succeed", func(t *testing.T, f *fixture) {
			c := f.run(t)
			runConcurrently(func(int) { assert.NoError(t, f.engine.Remove(t.Context(), c.ID)) })
			f.requireMissing(t, c.ID)
		}},
		{"concurrent lifecycles of several games are independent", testConcurrentLifecycles},
		{"concurrent Starts, Stops and reads of one container keep the contract", testConcurrentCalls},
	}
	if h.RunsGames {
		tests = append(tests, contractTest{"concurrent Starts of one container start one game", testConcurrentStarts})
	}
	return tests
}

// runConcurrently calls fn with 0, 1, … at the same time and waits for all calls.
func runConcurrently(fn func(n int)) {
	var all sync.WaitGroup
	for n := range concurrentCallers {
		all.Go(func() { fn(n) })
	}
	all.Wait()
}

func testConcurrentCreates(t *testing.T, f *fixture) {
	spec := f.spec("game")
	created := make([]container.Container, concurrentCallers)
	runConcurrently(func(n int) {
		c, err := f.engine.Create(t.Context(), spec)
		assert.NoError(t, err)
		created[n] = c
	})
	for _, c := range created {
		require.Equal(t, created[0].ID, c.ID)
	}
	require.Len(t, f.list(t, ""), 1)
}

func testConcurrentCreatesOfOneName(t *testing.T, f *fixture) {
	spec := f.spec("game")
	errs := make([]error, concurrentCallers)
	runConcurrently(func(n int) {
		variant := spec
		variant.Labels.OperationID = "op-" + string(rune('a'+n))
		_, errs[n] = f.engine.Create(t.Context(), variant)
	})
	created := 0
	for _, err := range errs {
		if err == nil {
			created++
			continue
		}
		require.ErrorIs(t, err, container.ErrContainerExists)
	}
	require.Equal(t, 1, created)
	require.Len(t, f.list(t, ""), 1)
}

func testConcurrentStarts(t *testing.T, f *fixture) {
	c := f.create(t, f.spec("game"))
	runConcurrently(func(int) { assert.NoError(t, f.engine.Start(t.Context(), c.ID)) })
	c = f.inspect(t, c.ID)
	clientOf(c).waitReady(t)
	var log string // an engine can return a line later than the game writes it
	eventually(t, "the first line is in the log", func() bool {
		log = strings.Join(f.logs(t, c.ID, 1000), "\n")
		return strings.Contains(log, "starts as process")
	})
	require.Equal(t, 1, strings.Count(log, "starts as process"), log)
}

func testConcurrentLifecycles(t *testing.T, f *fixture) {
	runConcurrently(func(n int) {
		ctx, name := t.Context(), "game-"+string(rune('a'+n))
		c, err := f.engine.Create(ctx, f.spec(name))
		if !assert.NoError(t, err) {
			return
		}
		assert.NoError(t, f.engine.Start(ctx, c.ID))
		listed, err := f.engine.List(ctx, name)
		assert.NoError(t, err)
		assert.Equal(t, []string{c.ID}, idsOf(listed))
		assert.NoError(t, f.engine.Stop(ctx, c.ID, 0))
		c, err = f.engine.Inspect(ctx, c.ID)
		assert.NoError(t, err)
		assert.Equal(t, container.StateExited, c.State)
		assert.NoError(t, f.engine.Remove(ctx, c.ID))
	})
	require.Empty(t, f.list(t, ""))
}

func testConcurrentCalls(t *testing.T, f *fixture) {
	c := f.create(t, f.spec("game"))
	runConcurrently(func(n int) {
		for range 5 {
			switch n % 4 {
			case 0:
				assert.NoError(t, f.engine.Start(t.Context(), c.ID))
			case 1:
				assert.NoError(t, f.engine.Stop(t.Context(), c.ID, 0))
			case 2:
				seen, err := f.engine.Inspect(t.Context(), c.ID)
				assert.NoError(t, err)
				assert.Contains(t, []container.State{container.StateCreated, container.StateRunning, container.StateExited}, seen.State)
			default:
				all, err := f.engine.List(t.Context(), "game")
				assert.NoError(t, err)
				assert.Equal(t, []string{c.ID}, idsOf(all))
			}
		}
	})
	f.stop(t, c.ID, 0)
	require.NotEqual(t, container.StateRunning, f.inspect(t, c.ID).State)
	require.Equal(t, container.StateRunning, f.start(t, c.ID).State)
}
