package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

const (
	killRounds  = 8
	killWriters = 8
)

// Writers continue while the daemon is killed repeatedly. Each has its own game and retries
// a write without a response under the same operation id. So the ledger must contain
// exactly the acknowledged writes.
func TestKilledDaemonLosesNoAcknowledgedWrite(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watcher := watchAll(ctx, t, d)

	var wg sync.WaitGroup
	writers := make([]*gameWriter, killWriters)
	for i := range writers {
		writers[i] = newGameWriter(fmt.Sprintf("game-%d", i), d.client)
		wg.Go(func() { writers[i].run(ctx) })
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for range killRounds {
		d.waitForWrites(writers, 20)
		d.killAfter(time.Duration(random.IntN(int(30 * time.Millisecond))))
		d.start()
	}
	d.waitForWrites(writers, 20)
	for _, writer := range writers {
		writer.stop.Store(true)
	}
	wg.Wait()

	writes := 0
	for _, writer := range writers {
		writer.verify(t, d.client)
		writes += len(writer.acknowledged)
	}
	report, err := d.client.Check(t.Context(), false)
	require.NoError(t, err)
	require.Empty(t, report.Findings, "fsck after %d kills", killRounds)
	watcher.verify(t, writers)
	t.Logf("checked %d acknowledged writes after %d kills", writes, killRounds)
}

// gameWriter writes one game: it puts the record and then changes it between running and
// stopped until stop is set.
type gameWriter struct {
	gameID       string
	client       *httpclient.Client
	stop         atomic.Bool
	count        atomic.Int64 // len(acknowledged), for other goroutines
	acknowledged []runtime.VersionedRecord
	operations   []string // operation ids of the acknowledged writes
	err          error
}

func newGameWriter(gameID string, client *httpclient.Client) *gameWriter {
	return &gameWriter{gameID: gameID, client: client}
}

func (g *gameWriter) run(ctx context.Context) {
	for n := 0; !g.stop.Load() && ctx.Err() == nil; n++ {
		operation := fmt.Sprintf("%s-op-%d", g.gameID, n)
		record, err := g.writeUntilAcknowledged(ctx, n, operation)
		if err != nil {
			g.err = fmt.Errorf("write %d of %s: %w", n, g.gameID, err)
			return
		}
		g.acknowledged = append(g.acknowledged, record)
		g.operations = append(g.operations, operation)
		g.count.Add(1)
	}
}

// writeUntilAcknowledged retries a write while the daemon is not running.
func (g *gameWriter) writeUntilAcknowledged(ctx context.Context, n int, operation string) (runtime.VersionedRecord, error) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		record, err := g.write(ctx, n, operation)
		if !errors.Is(err, runtime.ErrUnavailable) && !errors.Is(err, runtime.ErrOutcomeUnknown) {
			return record, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return record, ctx.Err()
		}
	}
}

func (g *gameWriter) write(ctx context.Context, n int, operation string) (runtime.VersionedRecord, error) {
	now := time.Date(2026, 3, 1, 12, 0, n, 0, time.UTC)
	origin := ports.Origin{OperationID: operation}
	if n == 0 {
		return g.client.Put(ctx, ports.PutInput{Origin: origin, Record: runtime.RuntimeRecord{
			GameID: g.gameID, Status: runtime.StatusRunning, CurrentContainerID: "c-" + g.gameID,
			CreatedAt: now, LastOpAt: now, StartedAt: &now,
		}})
	}
	from, to := runtime.StatusRunning, runtime.StatusStopped
	if n%2 == 0 {
		from, to = to, from
	}
	return g.client.Transition(ctx, ports.TransitionInput{Origin: origin, UpdateStatusInput: ports.UpdateStatusInput{
		GameID: g.gameID, ExpectedFrom: from, ExpectedContainerID: "c-" + g.gameID, To: to, Now: now,
	}})
}

// verify compares the acknowledged writes with the record and ledger of the store.
func (g *gameWriter) verify(t *testing.T, client *httpclient.Client) {
	t.Helper()
	require.NoError(t, g.err)
	found, err := client.GetVersioned(t.Context(), g.gameID)
	require.NoError(t, err)
	last := len(g.acknowledged) - 1
	require.Equal(t, g.acknowledged[last], found, "%s after its last acknowledged write", g.gameID)

	history, err := client.History(t.Context(), g.gameID)
	require.NoError(t, err)
	require.EqualValues(t, last+1, history[0].Seq, "%s: each write must have been applied once", g.gameID)
	for i, entry := range history {
		require.Equal(t, g.operations[last-i], entry.OperationID, "%s: ledger entry %d", g.gameID, entry.Seq)
		require.Equal(t, g.acknowledged[last-i].Revision, entry.Revision, "%s: ledger entry %d", g.gameID, entry.Seq)
	}
}
