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

func raceTests() []contractTest {
	return []contractTest{
		{name: "of 64 concurrent identical transitions one succeeds and the others get its record", test: testRaceTransition},
		{name: "of 32 concurrent inserts with the precondition of no record one succeeds", test: testRaceInsert},
		{name: "of 32 concurrent overwrites with one revision one succeeds", test: testRaceRevision},
		{name: "of concurrent stop and remove one succeeds and the other conflicts", test: testRaceStopRemove},
		{name: "concurrent upserts all succeed and each is in the ledger once", test: testRaceUpserts},
		{name: "concurrent writes to different games all succeed", test: testRaceManyGames},
		{name: "every successful transition of many concurrent attempts is in the ledger", test: testRaceOfManyAttempts},
		{name: "an upsert concurrent with transitions is never lost", test: testRaceUpsertTransition},
		{name: "a reader never reads an older revision than before", test: testRaceReader},
		{name: "a list contains the records of one revision", test: testRaceList},
		{name: "a list by status never contains a record of another status", test: testRaceListByStatus},
	}
}

// RunConcurrently calls run n times concurrently and returns the error of each call.
func RunConcurrently(n int, run func(n int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = run(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// requireOneWinner returns the index of the only nil error. It fails unless every other
// error is a conflict on the precondition that carries the current record of the game.
func requireOneWinner(t *testing.T, s Store, gameID string, errs []error, precondition runtime.Precondition) int {
	t.Helper()
	winner := -1
	current := readState(t, s, gameID)
	for i, err := range errs {
		if err == nil {
			require.Equal(t, -1, winner, "writers %d and %d both succeeded", winner, i)
			winner = i
			continue
		}
		var conflict *runtime.ConflictError
		require.ErrorAs(t, err, &conflict, "writer %d", i)
		require.Equal(t, precondition, conflict.Precondition, "writer %d", i)
		require.Equal(t, current.Record, conflict.Current, "the record in the conflict of writer %d", i)
		require.Equal(t, current.Revision, conflict.Revision)
	}
	require.NotEqual(t, -1, winner, "no writer succeeded")
	return winner
}

func testRaceTransition(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	errs := RunConcurrently(64, func(n int) error { return s.UpdateStatus(t.Context(), stopInput("a", 100+n)) })
	winner := requireOneWinner(t, s, "a", errs, runtime.PreconditionStatus)
	current := readState(t, s, "a")
	require.Equal(t, TimeAt(100+winner), current.Record.LastOpAt, "the record of the successful writer")
	require.Len(t, current.history, 2, "conflicts add nothing to the ledger")
	requireCheckClean(t, s)
}

func testRaceInsert(t *testing.T, _ Harness, s Store) {
	errs := RunConcurrently(32, func(n int) error {
		r := RunningRecord("a")
		r.Generation = int64(n)
		_, err := s.Put(t.Context(), ports.PutInput{Record: r, IfRevision: Pointer(int64(0))})
		return err
	})
	winner := requireOneWinner(t, s, "a", errs, runtime.PreconditionRevision)
	current := readState(t, s, "a")
	require.Equal(t, int64(winner), current.Record.Generation)
	require.Len(t, current.history, 1)
	requireCheckClean(t, s)
}

func testRaceRevision(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	errs := RunConcurrently(32, func(n int) error {
		r := StoppedRecord("a")
		r.Generation = int64(n)
		_, err := s.Put(t.Context(), ports.PutInput{Record: r, IfRevision: &first.Revision})
		return err
	})
	winner := requireOneWinner(t, s, "a", errs, runtime.PreconditionRevision)
	current := readState(t, s, "a")
	require.Equal(t, int64(winner), current.Record.Generation)
	require.Len(t, current.history, 2)
	requireCheckClean(t, s)
}

func testRaceStopRemove(t *testing.T, _ Harness, s Store) {
	for round := range 10 {
		gameID := GameName(round)
		putRecord(t, s, RunningRecord(gameID))
		targets := []runtime.Status{runtime.StatusStopped, runtime.StatusRemoved}
		errs := RunConcurrently(2, func(n int) error {
			return s.UpdateStatus(t.Context(), TransitionInput(gameID, runtime.StatusRunning, targets[n], 100))
		})
		winner := requireOneWinner(t, s, gameID, errs, runtime.PreconditionStatus)
		require.Equal(t, targets[winner], readState(t, s, gameID).Record.Status)
	}
	requireCheckClean(t, s)
}

func testRaceUpserts(t *testing.T, _ Harness, s Store) {
	const writers = 24
	errs := RunConcurrently(writers, func(n int) error {
		_, err := s.Put(t.Context(), ports.PutInput{
			Record: NewRecord("a", runtime.Statuses()[n%3]),
			Origin: ports.Origin{OperationID: fmt.Sprintf("op-%d", n)},
		})
		return err
	})
	require.NoError(t, errors.Join(errs...))
	entries := readState(t, s, "a").history
	require.Len(t, entries, writers)
	requireContiguous(t, entries)
	seen := map[string]bool{}
	for _, entry := range entries {
		seen[entry.OperationID] = true
	}
	require.Len(t, seen, writers, "each write is in the ledger once")
	requireCheckClean(t, s)
}

func testRaceManyGames(t *testing.T, _ Harness, s Store) {
	const games = 32
	errs := RunConcurrently(games, func(n int) error {
		if err := s.Upsert(t.Context(), RunningRecord(GameName(n))); err != nil {
			return err
		}
		return s.UpdateStatus(t.Context(), stopInput(GameName(n), n))
	})
	require.NoError(t, errors.Join(errs...))
	got, err := s.ListByStatus(t.Context(), runtime.StatusStopped)
	require.NoError(t, err)
	require.Len(t, got, games)
	for _, r := range got {
		require.Len(t, readState(t, s, r.GameID).history, 2)
	}
	requireCheckClean(t, s)
}

func testRaceOfManyAttempts(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	const writers, attempts = 8, 12
	succeeded := make([]int64, writers)
	errs := RunConcurrently(writers, func(n int) error {
		for attempt := range attempts {
			input := stopInput("a", attempt)
			if (n+attempt)%2 == 1 {
				input = resumeInput("a", attempt)
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
	require.NoError(t, errors.Join(errs...))
	var total int64
	for _, n := range succeeded {
		total += n
	}
	entries := readState(t, s, "a").history
	require.Equal(t, total+1, entries[0].Seq, "ledger entries and successful writes")
	requireContiguous(t, entries)
	requireCheckClean(t, s)
}

func testRaceUpsertTransition(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	errs := RunConcurrently(16, func(n int) error {
		if n%2 == 0 {
			r := RunningRecord("a")
			r.CurrentContainerID = fmt.Sprintf("container-%d", n)
			return s.Upsert(t.Context(), r)
		}
		err := s.UpdateStatus(t.Context(), stopInput("a", n))
		if errors.Is(err, runtime.ErrConflict) {
			return nil
		}
		return err
	})
	require.NoError(t, errors.Join(errs...))
	entries := readState(t, s, "a").history
	requireContiguous(t, entries)
	containers := map[string]bool{}
	for _, entry := range entries {
		containers[entry.ContainerID] = true
	}
	for n := 0; n < 16; n += 2 {
		require.True(t, containers[fmt.Sprintf("container-%d", n)], "upsert %d was acknowledged and is not in the ledger", n)
	}
	requireCheckClean(t, s)
}

func testRaceReader(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	errs := RunConcurrently(4, func(n int) error {
		if n == 0 {
			toggleStatus := func(i int) error {
				if i%2 == 0 {
					return s.UpdateStatus(t.Context(), stopInput("a", i))
				}
				return s.UpdateStatus(t.Context(), resumeInput("a", i))
			}
			for i := range 40 {
				if err := toggleStatus(i); err != nil {
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
	require.NoError(t, errors.Join(errs...))
	requireCheckClean(t, s)
}

func testRaceList(t *testing.T, _ Harness, s Store) {
	write := func(gameID string, generation int64) error {
		r := RunningRecord(gameID)
		r.Generation = generation
		return s.Upsert(t.Context(), r)
	}
	require.NoError(t, errors.Join(write("a", 0), write("z", 0)))
	errs := RunConcurrently(2, func(n int) error {
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
			// a is written before z, so at any revision a is at most one higher
			found := ByGameID(records)
			if lead := found["a"].Generation - found["z"].Generation; lead < 0 || lead > 1 {
				return fmt.Errorf("list shows a at %d and z at %d", found["a"].Generation, found["z"].Generation)
			}
		}
		return nil
	})
	require.NoError(t, errors.Join(errs...))
	requireCheckClean(t, s)
}

func testRaceListByStatus(t *testing.T, _ Harness, s Store) {
	for n := range 5 {
		putRecord(t, s, RunningRecord(GameName(n)))
	}
	errs := RunConcurrently(2, func(n int) error {
		for i := range 40 {
			if n == 0 {
				input := stopInput(GameName(i%5), i)
				if i/5%2 == 1 {
					input = resumeInput(GameName(i%5), i)
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
	require.NoError(t, errors.Join(errs...))
	requireCheckClean(t, s)
}
