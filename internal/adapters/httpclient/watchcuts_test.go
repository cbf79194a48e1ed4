package httpclient_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// changer makes changes of many games from another goroutine, at most so far
// ahead of the consumer as credit allows, and keeps what the store told it.
type changer struct {
	store  *memstore.Store
	random *rand.Rand
	credit chan struct{}
	done   chan struct{}
	wrote  []runtime.VersionedRecord
	err    error
}

func (c *changer) run(ctx context.Context, changes int) {
	defer close(c.done)
	for n := range changes {
		select {
		case <-c.credit:
		case <-ctx.Done():
			return
		}
		record := running("game-" + strconv.Itoa(c.random.IntN(20)))
		record.Generation = int64(n)
		if n == changes-1 {
			record.GameID = "the last"
		}
		written, err := c.store.Put(ctx, ports.PutInput{Record: record})
		if err != nil {
			c.err = err
			return
		}
		c.wrote = append(c.wrote, written)
	}
}

func TestWatchLosesAndRepeatsNothingOverABadLine(t *testing.T) {
	t.Parallel()
	const changes = 2500
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // where it breaks need not be secret
	line := &network{allow: []int{2000}}
	for range 100 {
		line.allow = append(line.allow, random.IntN(20_000))
	}
	cfg := line.config()
	reconnects, from := 0, int64(0)
	cfg.OnReconnect = func(err error, revision int64) {
		reconnects++
		require.Error(t, err, "why the client reconnects")
		require.GreaterOrEqual(t, revision, from, "where reconnect %d resumes; the one before resumed from %d", reconnects, from)
		from = revision
	}
	r := overHTTP(t, cfg, nil)
	holds := map[string]*runtime.RuntimeRecord{}
	for n := range 20 {
		require.NoError(t, r.store.Upsert(t.Context(), running("game-"+strconv.Itoa(n))))
	}
	writer := &changer{store: r.store, random: rand.New(rand.NewPCG(seed, 1)), credit: make(chan struct{}, changes+100), done: make(chan struct{})} //nolint:gosec // as above
	ctx, cancel := context.WithCancel(t.Context())
	defer func() { cancel(); <-writer.done }()
	for range 100 {
		writer.credit <- struct{}{}
	}
	go writer.run(ctx, changes)

	var got []runtime.VersionedRecord
	synced := int64(0)
	err := follow(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
		switch event.Type {
		case ports.EventSnapshot:
			require.Zero(t, synced, "%+v after the snapshot was complete", event)
			require.NotContains(t, holds, event.GameID, "the snapshot names it once")
			holds[event.GameID] = event.After
		case ports.EventSynced:
			require.Zero(t, synced, "synced came twice")
			synced = event.Revision
			for range synced - 21 { // changes that the snapshot holds
				writer.credit <- struct{}{}
			}
		case ports.EventBookmark:
		default:
			require.Equal(t, ports.EventUpserted, event.Type)
			require.True(t, event.Last, "every revision here has one event, got %+v", event)
			require.Equal(t, holds[event.GameID], event.Before, "what revision %d replaced", event.Revision)
			holds[event.GameID] = event.After
			got = append(got, runtime.VersionedRecord{Record: *event.After, Revision: event.Revision})
			writer.credit <- struct{}{}
		}
		return event.GameID != "the last"
	})
	require.NoError(t, err)
	<-writer.done
	require.NoError(t, writer.err)
	require.Len(t, writer.wrote, changes)
	require.Equal(t, writer.wrote[synced-21:], got, "the changes after the snapshot at revision %d", synced)
	require.GreaterOrEqual(t, reconnects, 60, "too few breaks to prove anything")
	require.Equal(t, line.dials-1, reconnects, "each connection but the first is made by a reconnect that is told")
}
