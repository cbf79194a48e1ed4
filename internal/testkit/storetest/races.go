package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func raceBehaviours() []behaviour {
	return []behaviour{
		{name: "of 64 writers on one transition exactly one wins and the others learn who", test: raceTransition},
		{name: "of 32 inserts that expect no record exactly one wins", test: raceInsert},
		{name: "of 32 overwrites that expect one revision exactly one wins", test: raceRevision},
		{name: "stopping and removing at once leaves one outcome that both can explain", test: raceStopRemove},
		{name: "racing upserts all succeed and each is in the ledger once", test: raceUpserts},
		{name: "writers on different games do not disturb each other", test: raceManyGames},
		{name: "every success of a long fight is in the ledger", test: raceLong},
		{name: "an upsert racing transitions is never lost", test: raceUpsertTransition},
		{name: "a reader never goes back in time", test: raceReader},
		{name: "a list shows one moment", test: raceList},
		{name: "a list by status never shows a record of another status", test: raceListByStatus},
	}
}

// atOnce runs the function n times at the same time and returns the errors.
func atOnce(n int, run func(n int) error) []error {
	failed := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			failed[i] = run(i)
		})
	}
	close(start)
	wg.Wait()
	return failed
}

// requireOneWinner returns the index of the only nil among the errors; every
// other one has to be a conflict on the expectation that carries the present
// record of the game.
func requireOneWinner(t *testing.T, s ports.Store, gameID string, failed []error, expectation runtime.Precondition) int {
	t.Helper()
	winner := -1
	now := stateOf(t, s, gameID)
	for i, err := range failed {
		if err == nil {
			require.Equal(t, -1, winner, "writers %d and %d both won", winner, i)
			winner = i
			continue
		}
		var conflict *runtime.ConflictError
		require.ErrorAs(t, err, &conflict, "writer %d", i)
		require.Equal(t, expectation, conflict.Precondition, "writer %d", i)
		require.Equal(t, now.Record, conflict.Current, "the record that writer %d was shown", i)
		require.Equal(t, now.Revision, conflict.Revision)
	}
	require.NotEqual(t, -1, winner, "nobody won")
	return winner
}

func raceTransition(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	failed := atOnce(64, func(n int) error { return s.UpdateStatus(t.Context(), stop("a", 100+n)) })
	winner := requireOneWinner(t, s, "a", failed, runtime.PreconditionStatus)
	now := stateOf(t, s, "a")
	require.Equal(t, instant(100+winner), now.Record.LastOpAt, "the record is the winner's")
	require.Len(t, now.history, 2, "losers leave nothing in the ledger")
	requireClean(t, s)
}

func raceInsert(t *testing.T, _ Harness, s ports.Store) {
	failed := atOnce(32, func(n int) error {
		r := running("a")
		r.Generation = int64(n)
		_, err := s.Put(t.Context(), ports.PutInput{Record: r, IfRevision: pointer(int64(0))})
		return err
	})
	winner := requireOneWinner(t, s, "a", failed, runtime.PreconditionRevision)
	now := stateOf(t, s, "a")
	require.Equal(t, int64(winner), now.Record.Generation)
	require.Len(t, now.history, 1)
	requireClean(t, s)
}

func raceRevision(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	failed := atOnce(32, func(n int) error {
		r := stopped("a")
		r.Generation = int64(n)
		_, err := s.Put(t.Context(), ports.PutInput{Record: r, IfRevision: &first.Revision})
		return err
	})
	winner := requireOneWinner(t, s, "a", failed, runtime.PreconditionRevision)
	now := stateOf(t, s, "a")
	require.Equal(t, int64(winner), now.Record.Generation)
	require.Len(t, now.history, 2)
	requireClean(t, s)
}

func raceStopRemove(t *testing.T, _ Harness, s ports.Store) {
	for round := range 10 {
		gameID := game(round)
		put(t, s, running(gameID))
		targets := []runtime.Status{runtime.StatusStopped, runtime.StatusRemoved}
		failed := atOnce(2, func(n int) error {
			return s.UpdateStatus(t.Context(), move(gameID, runtime.StatusRunning, targets[n], 100))
		})
		winner := requireOneWinner(t, s, gameID, failed, runtime.PreconditionStatus)
		require.Equal(t, targets[winner], stateOf(t, s, gameID).Record.Status)
	}
	requireClean(t, s)
}

func raceUpserts(t *testing.T, _ Harness, s ports.Store) {
	const writers = 24
	failed := atOnce(writers, func(n int) error {
		_, err := s.Put(t.Context(), ports.PutInput{
			Record: record("a", runtime.Statuses()[n%3]),
			Origin: ports.Origin{OperationID: fmt.Sprintf("op-%d", n)},
		})
		return err
	})
	require.NoError(t, errors.Join(failed...))
	entries := stateOf(t, s, "a").history
	require.Len(t, entries, writers)
	requireContiguous(t, entries)
	seen := map[string]bool{}
	for _, entry := range entries {
		seen[entry.OperationID] = true
	}
	require.Len(t, seen, writers, "each write is in the ledger once")
	requireClean(t, s)
}

func raceManyGames(t *testing.T, _ Harness, s ports.Store) {
	const games = 32
	failed := atOnce(games, func(n int) error {
		if err := s.Upsert(t.Context(), running(game(n))); err != nil {
			return err
		}
		return s.UpdateStatus(t.Context(), stop(game(n), n))
	})
	require.NoError(t, errors.Join(failed...))
	got, err := s.ListByStatus(t.Context(), runtime.StatusStopped)
	require.NoError(t, err)
	require.Len(t, got, games)
	for _, r := range got {
		require.Len(t, stateOf(t, s, r.GameID).history, 2)
	}
	requireClean(t, s)
}

func raceLong(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	const writers, tries = 8, 12
	succeeded := make([]int64, writers)
	failed := atOnce(writers, func(n int) error {
		for try := range tries {
			input := stop("a", try)
			if (n+try)%2 == 1 {
				input = resume("a", try)
			}
			switch err := s.UpdateStatus(t.Context(), input); {
			case err == nil:
				succeeded[n]++
			case !errors.Is(err, runtime.ErrConflict):
				return err
			}
		}
		return nil
	})
	require.NoError(t, errors.Join(failed...))
	var total int64
	for _, n := range succeeded {
		total += n
	}
	entries := stateOf(t, s, "a").history
	require.Equal(t, total+1, entries[0].Seq, "ledger against successes")
	requireContiguous(t, entries)
	requireClean(t, s)
}

func raceUpsertTransition(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	failed := atOnce(16, func(n int) error {
		if n%2 == 0 {
			r := running("a")
			r.CurrentContainerID = fmt.Sprintf("container-%d", n)
			return s.Upsert(t.Context(), r)
		}
		err := s.UpdateStatus(t.Context(), stop("a", n))
		if errors.Is(err, runtime.ErrConflict) {
			return nil
		}
		return err
	})
	require.NoError(t, errors.Join(failed...))
	entries := stateOf(t, s, "a").history
	requireContiguous(t, entries)
	containers := map[string]bool{}
	for _, entry := range entries {
		containers[entry.ContainerID] = true
	}
	for n := 0; n < 16; n += 2 {
		require.True(t, containers[fmt.Sprintf("container-%d", n)], "upsert %d was acknowledged and is not in the ledger", n)
	}
	requireClean(t, s)
}

func raceReader(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	failed := atOnce(4, func(n int) error {
		if n == 0 {
			pingPongErr := func(i int) error {
				if i%2 == 0 {
					return s.UpdateStatus(t.Context(), stop("a", i))
				}
				return s.UpdateStatus(t.Context(), resume("a", i))
			}
			for i := range 40 {
				if err := pingPongErr(i); err != nil {
					return err
				}
			}
			return nil
		}
		var newest int64
		for range 40 {
			read, err := s.GetVersioned(t.Context(), "a")
			if err != nil {
				return err
			}
			if read.Revision < newest {
				return fmt.Errorf("reader %d read revision %d after %d", n, read.Revision, newest)
			}
			newest = read.Revision
		}
		return nil
	})
	require.NoError(t, errors.Join(failed...))
	requireClean(t, s)
}

func raceList(t *testing.T, _ Harness, s ports.Store) {
	write := func(gameID string, generation int64) error {
		r := running(gameID)
		r.Generation = generation
		return s.Upsert(t.Context(), r)
	}
	require.NoError(t, errors.Join(write("a", 0), write("z", 0)))
	failed := atOnce(2, func(n int) error {
		for i := range 30 {
			if n == 0 {
				if err := errors.Join(write("a", int64(i)), write("z", int64(i))); err != nil {
					return err
				}
				continue
			}
			records, err := s.List(t.Context())
			if err != nil {
				return err
			}
			// a is written before z, so at any moment a is at z or one ahead
			found := byID(records)
			if ahead := found["a"].Generation - found["z"].Generation; ahead < 0 || ahead > 1 {
				return fmt.Errorf("list shows a at %d and z at %d", found["a"].Generation, found["z"].Generation)
			}
		}
		return nil
	})
	require.NoError(t, errors.Join(failed...))
	requireClean(t, s)
}

func raceListByStatus(t *testing.T, _ Harness, s ports.Store) {
	for n := range 5 {
		put(t, s, running(game(n)))
	}
	failed := atOnce(2, func(n int) error {
		for i := range 40 {
			if n == 0 {
				input := stop(game(i%5), i)
				if i/5%2 == 1 {
					input = resume(game(i%5), i)
				}
				if err := s.UpdateStatus(t.Context(), input); err != nil {
					return err
				}
				continue
			}
			records, err := s.ListByStatus(t.Context(), runtime.StatusStopped)
			if err != nil {
				return err
			}
			for _, r := range records {
				if r.Status != runtime.StatusStopped {
					return fmt.Errorf("listed as stopped: %s is %s", r.GameID, r.Status)
				}
			}
		}
		return nil
	})
	require.NoError(t, errors.Join(failed...))
	requireClean(t, s)
}
