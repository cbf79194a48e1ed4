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

// randomWriter changes many games from another goroutine, at most as many changes before
// the consumer as credit allows, and keeps the results.
type randomWriter struct {
	store   *memstore.Store
	random  *rand.Rand
	credit  chan struct{}
	done    chan struct{}
	results []runtime.VersionedRecord
	err     error
}

func (c *randomWriter) run(ctx context.Context, changes int) {
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
		versioned, err := c.store.Put(ctx, ports.PutInput{Record: record})
		if err != nil {
			c.err = err
			return
		}
		c.results = append(c.results, versioned)
	}
}

func TestWatchHasNoGapsOrDuplicatesOverAFaultyNetwork(t *testing.T) {
	t.Parallel()
	const changes = 2500
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // not used for security
	network := &faultyNetwork{byteLimits: []int{2000}}
	for range 100 {
		network.byteLimits = append(network.byteLimits, random.IntN(20_000))
	}
	cfg := network.config()
	reconnects, from := 0, int64(0)
	cfg.OnReconnect = func(err error, revision int64) {
		reconnects++
		require.Error(t, err, "the reason for the reconnect")
		require.GreaterOrEqual(t, revision, from, "reconnect %d resumes before the previous one, which resumed from %d", reconnects, from)
		from = revision
	}
	r := overHTTP(t, cfg, nil)
	delivered := map[string]*runtime.RuntimeRecord{}
	for n := range 20 {
		require.NoError(t, r.store.Upsert(t.Context(), running("game-"+strconv.Itoa(n))))
	}
	writer := &randomWriter{store: r.store, random: rand.New(rand.NewPCG(seed, 1)), credit: make(chan struct{}, changes+100), done: make(chan struct{})} //nolint:gosec // not used for security
	ctx, cancel := context.WithCancel(t.Context())
	defer func() { cancel(); <-writer.done }()
	for range 100 {
		writer.credit <- struct{}{}
	}
	go writer.run(ctx, changes)

	var got []runtime.VersionedRecord
	synced := int64(0)
	err := rangeWatch(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
		switch event.Type {
		case ports.EventSnapshot:
			require.Zero(t, synced, "%+v after the snapshot was complete", event)
			require.NotContains(t, delivered, event.GameID, "a game twice in the snapshot")
			delivered[event.GameID] = event.After
		case ports.EventSynced:
			require.Zero(t, synced, "a second synced event")
			synced = event.Revision
			for range synced - 21 { // changes that the snapshot delivered
				writer.credit <- struct{}{}
			}
		case ports.EventBookmark:
		default:
			require.Equal(t, ports.EventUpserted, event.Type)
			require.True(t, event.Last, "every revision here has one event, got %+v", event)
			require.Equal(t, delivered[event.GameID], event.Before, "the record before revision %d", event.Revision)
			delivered[event.GameID] = event.After
			got = append(got, runtime.VersionedRecord{Record: *event.After, Revision: event.Revision})
			writer.credit <- struct{}{}
		}
		return event.GameID != "the last"
	})
	require.NoError(t, err)
	<-writer.done
	require.NoError(t, writer.err)
	require.Len(t, writer.results, changes)
	require.Equal(t, writer.results[synced-21:], got, "the changes after the snapshot at revision %d", synced)
	require.GreaterOrEqual(t, reconnects, 60, "too few broken connections for a meaningful test")
	require.Equal(t, network.dials-1, reconnects, "OnReconnect is called before each connection but the first")
}
