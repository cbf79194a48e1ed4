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

// Writers go on while the daemon is killed under them again and again. Each has
// a game of its own and repeats what was not answered under the same operation
// id, so at the end the ledger must be exactly what the writers were told.
func TestKilledDaemonLosesNothingThatItAcknowledged(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watcher := watchAll(ctx, t, d)

	var writers sync.WaitGroup
	lives := make([]*gameLife, killWriters)
	for i := range lives {
		lives[i] = newGameLife(fmt.Sprintf("game-%d", i), d.client)
		writers.Go(func() { lives[i].run(ctx) })
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for range killRounds {
		d.awaitAcknowledged(lives, 20)
		d.killAfter(time.Duration(random.IntN(int(30 * time.Millisecond))))
		d.start()
	}
	d.awaitAcknowledged(lives, 20)
	for _, life := range lives {
		life.stop.Store(true)
	}
	writers.Wait()

	writes := 0
	for _, life := range lives {
		life.verify(t, d.client)
		writes += len(life.acknowledged)
	}
	report, err := d.client.Check(t.Context(), false)
	require.NoError(t, err)
	require.Empty(t, report.Findings, "fsck after %d kills", killRounds)
	watcher.verify(t, lives)
	t.Logf("checked %d acknowledged writes after %d kills", writes, killRounds)
}

// gameLife is one writer: it puts its game and then moves it between running
// and stopped for as long as it may.
type gameLife struct {
	gameID       string
	client       *httpclient.Client
	stop         atomic.Bool
	count        atomic.Int64 // of acknowledged, for others to read
	acknowledged []runtime.VersionedRecord
	operations   []string // of each acknowledged write
	failed       error
}

func newGameLife(gameID string, client *httpclient.Client) *gameLife {
	return &gameLife{gameID: gameID, client: client}
}

func (g *gameLife) run(ctx context.Context) {
	for n := 0; !g.stop.Load() && ctx.Err() == nil; n++ {
		operation := fmt.Sprintf("%s-op-%d", g.gameID, n)
		written, err := g.writeUntilTold(ctx, n, operation)
		if err != nil {
			g.failed = fmt.Errorf("write %d of %s: %w", n, g.gameID, err)
			return
		}
		g.acknowledged = append(g.acknowledged, written)
		g.operations = append(g.operations, operation)
		g.count.Add(1)
	}
}

// writeUntilTold repeats a write while the daemon is away.
func (g *gameLife) writeUntilTold(ctx context.Context, n int, operation string) (runtime.VersionedRecord, error) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		written, err := g.write(ctx, n, operation)
		if !errors.Is(err, runtime.ErrUnavailable) && !errors.Is(err, runtime.ErrOutcomeUnknown) {
			return written, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return written, ctx.Err()
		}
	}
}

func (g *gameLife) write(ctx context.Context, n int, operation string) (runtime.VersionedRecord, error) {
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

// verify compares what the writer was told with what the store remembers.
func (g *gameLife) verify(t *testing.T, client *httpclient.Client) {
	t.Helper()
	require.NoError(t, g.failed)
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
