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

// follow writes down every change of a record from now on, until it is asked what
// there was.
func follow(t *testing.T, store *etcdstore.Store) func() []ports.RuntimeEvent {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var told []ports.RuntimeEvent
	var following sync.WaitGroup
	following.Go(func() {
		for event, err := range store.Watch(ctx, ports.WatchOptions{}) {
			if ctx.Err() != nil || !assert.NoError(t, err) {
				return
			}
			told = append(told, event)
		}
	})
	stop := func() []ports.RuntimeEvent {
		cancel()
		following.Wait()
		return told
	}
	t.Cleanup(func() { stop() })
	return stop
}

// requireForwards fails if a record went back to an earlier generation, revision or
// container.
func requireForwards(t *testing.T, told []ports.RuntimeEvent, games ...string) {
	t.Helper()
	for _, gameID := range games {
		var revision, generation int64
		containers := map[string]int64{}
		for _, event := range told {
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
			require.Equal(t, generation, containers[event.After.CurrentContainerID], "%s came back to an earlier container", gameID)
		}
		require.NotZero(t, revision, "nothing was told of %s", gameID)
	}
}
