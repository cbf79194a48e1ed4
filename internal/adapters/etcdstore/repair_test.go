package etcdstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// olderEntry is entry 33, which has the slot of entry 1.
const olderEntry = `{"seq":33,"from":"","to":"running","at":"2026-03-01T12:00:00Z","operation_id":"x","actor":"","reason":"","container_id":"c","image":""}`

// TestRepairRacesAWrite changes the game between the check and the repair: the repair
// changes nothing.
func TestRepairRacesAWrite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ harm, between func(r fixture) }{
		"ledger, and the game changes": {
			func(r fixture) { r.deleteRaw("/transitions/game/01") },
			func(r fixture) { r.transition("game", runtime.StatusRunning, runtime.StatusStopped) },
		},
		"ledger, and another value replaces it": {
			func(r fixture) { r.deleteRaw("/transitions/game/01") },
			func(r fixture) { r.putRaw("/transitions/game/01", "garbage") },
		},
		"older ledger entry, and it changes": {
			func(r fixture) { r.putRaw("/transitions/game/01", olderEntry) },
			func(r fixture) { r.putRaw("/transitions/game/01", olderEntry) },
		},
		"index, and another repair is first": {
			func(r fixture) { r.deleteRaw("/runtimes-by-status/running/game") },
			func(r fixture) { r.putRaw("/runtimes-by-status/running/game", "container-1") },
		},
		"extra index, and the record changes to it": {
			func(r fixture) { r.putRaw("/runtimes-by-status/stopped/game", "container-1") },
			func(r fixture) { r.putRecordRaw(stoppedRecord("game")) },
		},
		"extra index, and it changes": {
			func(r fixture) { r.putRaw("/runtimes-by-status/stopped/game", "x") },
			func(r fixture) { r.putRaw("/runtimes-by-status/stopped/game", "y") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			c.harm(r.others)
			var before map[string]rawValue
			r.faults.OnFirstWrite(func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
				c.between(r.others)
				before = r.others.dump()
				return send(ctx)
			})
			report, err := r.Check(t.Context(), true)
			require.NoError(t, err)
			require.Len(t, report.Findings, 1)
			require.False(t, report.Findings[0].Repaired)
			require.Contains(t, report.Findings[0].RepairError, "changed")
			require.Equal(t, before, r.dump(), "the repair changed a key")
		})
	}
}

// TestChecksRaceWrites checks and repairs repeatedly while writers work: there is never a
// finding, because a check reads at one revision.
func TestChecksRaceWrites(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	r.put(runningRecord("game"))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for turn := range 40 {
				assert.NoError(t, r.Upsert(t.Context(), runningRecord(fmt.Sprint("game-", (n+turn)%6))))
				_ = r.UpdateStatus(t.Context(), stopInput(fmt.Sprint("game-", turn%6)))
			}
		})
	}
	checked := make(chan int)
	go func() {
		defer close(checked)
		for ctx.Err() == nil {
			report, err := r.Check(t.Context(), true)
			assert.NoError(t, err)
			assert.Empty(t, report.Findings, "at revision %d", report.Revision)
		}
	}()
	wg.Wait()
	cancel()
	<-checked
	r.requireClean()
}
