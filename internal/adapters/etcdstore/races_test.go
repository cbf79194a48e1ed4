package etcdstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

const racers = 64

// TestOneWinnerPerTransition has 64 writers make the same transition, round after round,
// through two stores.
func TestOneWinnerPerTransition(t *testing.T) { inEveryMode(t, testOneWinnerPerTransition) }

func testOneWinnerPerTransition(t *testing.T) {
	const rounds = 8
	r := sharedFixture(t)
	stores := []fixture{r, r.another()}
	r.put(runningRecord("game"))
	from, to := runtime.StatusRunning, runtime.StatusStopped
	for round := range rounds {
		results := make([]runtime.VersionedRecord, racers)
		failed := make([]error, racers)
		var wg sync.WaitGroup
		for n := range racers {
			wg.Go(func() {
				input := ports.TransitionInput{UpdateStatusInput: transitionInput("game", from, to), Origin: ports.Origin{Actor: fmt.Sprint("racer ", n)}}
				results[n], failed[n] = stores[n%2].Transition(t.Context(), input)
			})
		}
		wg.Wait()
		requireOneWinner(t, r, round, results, failed)
		from, to = to, from
	}
	require.Len(t, requireContiguousLedger(t, r, "game"), 1+rounds)
	r.requireClean()
}

// requireOneWinner requires that all writers but one get the record that won.
func requireOneWinner(t *testing.T, r fixture, round int, results []runtime.VersionedRecord, failed []error) {
	t.Helper()
	current, err := r.GetVersioned(t.Context(), "game")
	require.NoError(t, err)
	winners := 0
	for n, err := range failed {
		if err == nil {
			winners++
			require.Equal(t, current, results[n], "round %d: result of the winner", round)
			continue
		}
		conflict, ok := errors.AsType[*runtime.ConflictError](err)
		require.True(t, ok, "round %d: writer %d got %v", round, n, err)
		require.Equal(t, runtime.PreconditionStatus, conflict.Precondition)
		require.Equal(t, current.Record, conflict.Current, "round %d: the record that won", round)
		require.Equal(t, current.Revision, conflict.Revision, "round %d", round)
	}
	require.Equal(t, 1, winners, "winners of round %d", round)
}

// requireContiguousLedger reads every ledger entry of the game from etcd's history, and
// requires each number once and each status to follow the previous one.
func requireContiguousLedger(t *testing.T, r fixture, gameID string) []storedEntry {
	t.Helper()
	var entries []storedEntry
	for _, ev := range r.historyOf("/transitions/" + gameID + "/") {
		entries = append(entries, entryOf(t, ev.Kv.GetValue()))
	}
	for i, e := range entries {
		require.EqualValues(t, i+1, e.Seq, "entry %+v", e)
		if i > 0 {
			require.Equal(t, entries[i-1].To, e.From, "entry %d follows another status", e.Seq)
		}
	}
	return entries
}

// TestUpsertsRaceTransitions mixes writes that cannot conflict with writes that can: each
// one that succeeded is in the ledger once, and no other is.
func TestUpsertsRaceTransitions(t *testing.T) { inEveryMode(t, testUpsertsRaceTransitions) }

func testUpsertsRaceTransitions(t *testing.T) {
	r := sharedFixture(t)
	stores := []fixture{r, r.another()}
	r.put(runningRecord("game"))
	var (
		mu   sync.Mutex
		done = map[string]bool{}
		wg   sync.WaitGroup
	)
	for n := range racers {
		wg.Go(func() {
			for turn := range 3 {
				reason := fmt.Sprintf("writer %d turn %d", n, turn)
				err := raceOnce(t, stores[n%2], n, reason)
				if err != nil {
					assert.ErrorIs(t, err, runtime.ErrConflict, reason)
					assert.Positive(t, n%4, "an upsert never conflicts")
				}
				mu.Lock()
				done[reason] = err == nil
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	applied := 0
	for _, e := range requireContiguousLedger(t, r, "game")[1:] {
		require.True(t, done[e.Reason], "%q is in the ledger and failed, or is there twice", e.Reason)
		delete(done, e.Reason)
		applied++
	}
	for reason, reported := range done {
		require.False(t, reported, "%q succeeded and is not in the ledger", reason)
	}
	require.GreaterOrEqual(t, applied, 3*racers/4, "all upserts at least")
	r.requireClean()
}

// raceOnce upserts, or makes one of the transitions, by the writer's number.
func raceOnce(t *testing.T, r fixture, n int, reason string) error {
	origin := ports.Origin{Reason: reason}
	move := ports.TransitionInput{UpdateStatusInput: stopInput("game"), Origin: origin}
	var err error
	switch n % 4 {
	case 0:
		rec := runningRecord("game")
		if n%8 == 0 {
			rec = stoppedRecord("game")
		}
		_, err = r.Put(t.Context(), ports.PutInput{Record: rec, Origin: origin})
		return err
	case 1:
		move.ExpectedContainerID = "container-1"
	case 2:
		move.UpdateStatusInput = transitionInput("game", runtime.StatusStopped, runtime.StatusRunning)
	}
	_, err = r.Transition(t.Context(), move)
	return err
}

// TestOneInsertOfMany has many writers insert the same new game.
func TestOneInsertOfMany(t *testing.T) { inEveryMode(t, testOneInsertOfMany) }

func testOneInsertOfMany(t *testing.T) {
	r := sharedFixture(t)
	failed := make([]error, racers)
	var wg sync.WaitGroup
	absent := int64(0)
	for n := range racers {
		wg.Go(func() {
			_, failed[n] = r.Put(t.Context(), ports.PutInput{Record: runningRecord("new"), IfRevision: &absent})
		})
	}
	wg.Wait()
	current, err := r.GetVersioned(t.Context(), "new")
	require.NoError(t, err)
	winners := 0
	for _, err := range failed {
		if err == nil {
			winners++
			continue
		}
		conflict, ok := errors.AsType[*runtime.ConflictError](err)
		require.True(t, ok, "got %v", err)
		require.Equal(t, current.Revision, conflict.Revision)
	}
	require.Equal(t, 1, winners)
	require.Len(t, requireContiguousLedger(t, r, "new"), 1)
}

// storedEntry is a ledger entry, decoded without the code under test.
type storedEntry struct {
	Seq         int64          `json:"seq"`
	From        runtime.Status `json:"from"`
	To          runtime.Status `json:"to"`
	At          time.Time      `json:"at"`
	OperationID string         `json:"operation_id"`
	Actor       string         `json:"actor"`
	Reason      string         `json:"reason"`
	ContainerID string         `json:"container_id"`
	Image       string         `json:"image"`
}
