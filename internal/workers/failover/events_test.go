package failover_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/ports"
)

// recordEvents records the events of all records, until the returned function is called,
// which returns them.
func recordEvents(t *testing.T, store *etcdstore.Store) func() []ports.RuntimeEvent {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var recorded []ports.RuntimeEvent
	var wg sync.WaitGroup
	wg.Go(func() {
		for event, err := range store.Watch(ctx, ports.WatchOptions{}) {
			if ctx.Err() != nil || !assert.NoError(t, err) {
				return
			}
			recorded = append(recorded, event)
		}
	})
	stop := func() []ports.RuntimeEvent {
		cancel()
		wg.Wait()
		return recorded
	}
	t.Cleanup(func() { stop() })
	return stop
}

// requireMonotonic fails if a record returned to an earlier generation, revision or
// container.
func requireMonotonic(t *testing.T, events []ports.RuntimeEvent, games ...string) {
	t.Helper()
	for _, gameID := range games {
		var revision, generation int64
		containers := map[string]int64{}
		for _, event := range events {
			if event.GameID != gameID {
				continue
			}
			require.NotNil(t, event.After, "%s was deleted", gameID)
			require.GreaterOrEqual(t, event.Revision, revision)
			require.GreaterOrEqual(t, event.After.Generation, generation, "%+v", event)
			revision, generation = event.Revision, event.After.Generation
			if id := event.After.CurrentContainerID; containers[id] == 0 {
				containers[id] = generation
			}
			require.Equal(t, generation, containers[event.After.CurrentContainerID], "%s returned to an earlier container", gameID)
		}
		require.NotZero(t, revision, "no event of %s", gameID)
	}
}
