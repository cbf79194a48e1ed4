package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func deleteTests(h Harness) []contractTest {
	tests := []contractTest{
		{name: "no read returns a deleted game", test: testDelete},
		{name: "every watch whose filter matches delivers deleted", test: testDeleteEvents},
		{name: "a watch that resumes replays the deletion", test: testDeleteReplayed},
		{name: "later pages contain a game that is deleted after the first", test: testDeleteBetweenPages},
		{name: "a game that is inserted later is new", test: testDeletedThenInserted},
		{name: "a game that is not removed is rejected with its status", test: testDeleteNotRemoved},
		{name: "a missing game is ErrNotFound", test: testDeleteMissing},
		{name: "a second deletion is ErrNotFound", test: testDeleteTwice},
		{name: "of concurrent deletions of one game each succeeds or is ErrNotFound", test: testDeleteConcurrently},
		{name: "another revision is a conflict", test: testDeleteOtherRevision},
		{name: "the expected revision deletes", test: testDeleteAtRevision},
		{name: "a repeated operation id succeeds and deletes nothing", test: testDeleteRepeated},
		{name: "invalid input is rejected", test: testDeleteInvalid},
		{name: "a write that follows finds no game", test: testWriteAfterDelete},
		{name: "of a deletion and a concurrent write each is complete or absent", test: testDeleteRace},
		{name: "an ended context deletes nothing", test: testDeleteEndedContext},
		{name: "many concurrent deletions delete every game", test: testDeleteMany},
	}
	if h.Fences != nil {
		tests = append(tests, contractTest{name: "an invalid fence is ErrFenced before any other error", test: testDeleteFenced})
	}
	return tests
}

// deleteGame deletes the game.
func deleteGame(t *testing.T, s Store, gameID string) {
	t.Helper()
	require.NoError(t, s.Delete(t.Context(), ports.DeleteInput{GameID: gameID}), "delete %q", gameID)
}

func requireAbsent(t *testing.T, s Store, gameID string) {
	t.Helper()
	_, err := s.GetVersioned(t.Context(), gameID)
	require.ErrorIs(t, err, runtime.ErrNotFound)
	_, err = s.History(t.Context(), gameID)
	require.ErrorIs(t, err, runtime.ErrNotFound)
}

func testDelete(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	putRecord(t, s, removedRecord("a"))
	putRecord(t, s, removedRecord("b"))
	deleteGame(t, s, "a")
	requireAbsent(t, s, "a")
	all, err := s.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, gameIDs(all))
	requireListedUnder(t, s, "b", runtime.StatusRemoved)
	records, _ := openWatch(t, s, ports.WatchOptions{}).readSnapshot()
	require.Equal(t, []string{"b"}, gameIDs(records))
}

func testDeleteEvents(t *testing.T, _ Harness, s Store) {
	before := putRecord(t, s, removedRecord("a"))
	matching := []*watchReader{
		openSyncedWatch(t, s, ports.WatchOptions{}),
		openSyncedWatch(t, s, ports.WatchOptions{Resync: true}),
		openSyncedWatch(t, s, ports.WatchOptions{GameID: "a"}),
		openSyncedWatch(t, s, ports.WatchOptions{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRemoved}, Regions: []string{before.Record.Region}, Nodes: []string{before.Record.Node}}}),
	}
	other := openSyncedWatch(t, s, ports.WatchOptions{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}})
	deleteGame(t, s, "a")
	for _, w := range matching {
		requireDeleted(t, w, before)
	}
	requireChange(t, other, ports.EventUpserted, nil, putRecord(t, s, RunningRecord("next")))
}

func testDeleteReplayed(t *testing.T, _ Harness, s Store) {
	before := putRecord(t, s, removedRecord("a"))
	deleteGame(t, s, "a")
	requireDeleted(t, openWatch(t, s, ports.WatchOptions{FromRevision: before.Revision}), before)
}

func testDeleteBetweenPages(t *testing.T, _ Harness, s Store) {
	var want []runtime.VersionedRecord
	for n := range 4 {
		want = append(want, putRecord(t, s, removedRecord(GameName(n))))
	}
	query := ports.PageQuery{Limit: 2, RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRemoved}}}
	first, err := s.ListPage(t.Context(), query)
	require.NoError(t, err)
	deleteGame(t, s, GameName(1))
	deleteGame(t, s, GameName(3))
	query.Revision, query.After = first.Revision, first.Next
	second, err := s.ListPage(t.Context(), query)
	require.NoError(t, err)
	require.Equal(t, want, append(first.Records, second.Records...), "all pages are of one revision")
	now, _ := listAllPages(t, s, ports.PageQuery{Limit: 2})
	require.Equal(t, []runtime.VersionedRecord{want[0], want[2]}, now)
}

func testDeletedThenInserted(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	putRecord(t, s, removedRecord("a"))
	deleteGame(t, s, "a")
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	inserted, err := putAtRevision(t, s, RunningRecord("a"), 0)
	require.NoError(t, err)
	requireChange(t, w, ports.EventUpserted, nil, inserted)
	history := readState(t, s, "a").history
	require.Len(t, history, 1)
	require.Empty(t, history[0].From)
	require.EqualValues(t, 1, history[0].Seq)
}

func testDeleteNotRemoved(t *testing.T, _ Harness, s Store) {
	for _, status := range []runtime.Status{runtime.StatusRunning, runtime.StatusStopped} {
		putRecord(t, s, NewRecord("a", status))
		before := readState(t, s, "a")
		err := s.Delete(t.Context(), ports.DeleteInput{GameID: "a"})
		rejected, ok := errors.AsType[*operation.RejectedError](err)
		require.True(t, ok, "%v", err)
		require.ErrorIs(t, err, operation.ErrRejected)
		require.Equal(t, "a", rejected.GameID)
		require.Equal(t, status, rejected.Status)
		require.Contains(t, rejected.Reason, "clean it up first")
		requireUnchanged(t, s, before)
	}
}

func testDeleteMissing(t *testing.T, _ Harness, s Store) {
	for _, revision := range []*int64{nil, Pointer(int64(7))} {
		require.ErrorIs(t, s.Delete(t.Context(), ports.DeleteInput{GameID: "a", IfRevision: revision}), runtime.ErrNotFound)
	}
}

func testDeleteTwice(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, removedRecord("a"))
	deleteGame(t, s, "a")
	require.ErrorIs(t, s.Delete(t.Context(), ports.DeleteInput{GameID: "a"}), runtime.ErrNotFound)
}

// testDeleteConcurrently deletes one game by several calls at once. A call that has found the
// record succeeds, whichever call deletes it.
func testDeleteConcurrently(t *testing.T, _ Harness, s Store) {
	for n := range 10 {
		putRecord(t, s, removedRecord(GameName(n)))
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = s.Delete(t.Context(), ports.DeleteInput{GameID: GameName(n)}) })
		}
		wg.Wait()
		require.Contains(t, errs, nil)
		for _, err := range errs {
			require.True(t, err == nil || errors.Is(err, runtime.ErrNotFound), "%v", err)
		}
		requireAbsent(t, s, GameName(n))
	}
}

func testDeleteOtherRevision(t *testing.T, _ Harness, s Store) {
	old := putRecord(t, s, removedRecord("a"))
	putRecord(t, s, removedRecord("a"))
	before := readState(t, s, "a")
	err := s.Delete(t.Context(), ports.DeleteInput{GameID: "a", IfRevision: &old.Revision})
	conflict, ok := errors.AsType[*runtime.ConflictError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, *runtime.NewRevisionConflict("a", old.Revision, before.VersionedRecord), *conflict)
	requireUnchanged(t, s, before)

	running := putRecord(t, s, RunningRecord("a"))
	err = s.Delete(t.Context(), ports.DeleteInput{GameID: "a", IfRevision: &old.Revision})
	require.ErrorIs(t, err, runtime.ErrConflict, "the revision takes precedence over the status")
	err = s.Delete(t.Context(), ports.DeleteInput{GameID: "a", IfRevision: &running.Revision})
	require.ErrorIs(t, err, operation.ErrRejected)
}

func testDeleteAtRevision(t *testing.T, _ Harness, s Store) {
	record := putRecord(t, s, removedRecord("a"))
	require.NoError(t, s.Delete(t.Context(), ports.DeleteInput{GameID: "a", IfRevision: &record.Revision}))
	requireAbsent(t, s, "a")
}

func testDeleteRepeated(t *testing.T, _ Harness, s Store) {
	record := putRecord(t, s, removedRecord("a"))
	input := ports.DeleteInput{GameID: "a", IfRevision: &record.Revision, Origin: ports.Origin{OperationID: "op-1", Actor: "me", Reason: "over"}}
	require.NoError(t, s.Delete(t.Context(), input))
	require.NoError(t, s.Delete(t.Context(), input), "while the game is absent")
	putRecord(t, s, removedRecord("a"))
	before := readState(t, s, "a")
	require.NoError(t, s.Delete(t.Context(), input), "after a second insert")
	requireUnchanged(t, s, before)
	input.GameID = "b"
	require.ErrorIs(t, s.Delete(t.Context(), input), runtime.ErrNotFound, "an id of another game")
}

func testDeleteInvalid(t *testing.T, _ Harness, s Store) {
	for name, gameID := range InvalidGameIDs() {
		require.ErrorIs(t, s.Delete(t.Context(), ports.DeleteInput{GameID: gameID}), runtime.ErrInvalid, name)
	}
	for _, revision := range []int64{0, -1} {
		RequireInvalid(t, s.Delete(t.Context(), ports.DeleteInput{GameID: "a", IfRevision: &revision}), "if_revision")
	}
	RequireInvalid(t, s.Delete(t.Context(), ports.DeleteInput{GameID: "a", Origin: ports.Origin{OperationID: "a\nb"}}), "operation_id")
}

func testWriteAfterDelete(t *testing.T, _ Harness, s Store) {
	removed := putRecord(t, s, removedRecord("a"))
	deleteGame(t, s, "a")
	require.ErrorIs(t, s.UpdateStatus(t.Context(), stopInput("a", 5)), runtime.ErrNotFound)
	_, err := putAtRevision(t, s, RunningRecord("a"), removed.Revision)
	require.ErrorIs(t, err, runtime.ErrConflict)
	requireEmpty(t, s)
}

// testDeleteRace starts a deletion and a guarded write of the same record at once.
func testDeleteRace(t *testing.T, _ Harness, s Store) {
	for n := range 20 {
		gameID := GameName(n)
		removed := putRecord(t, s, removedRecord(gameID))
		var wg sync.WaitGroup
		var errDelete, errPut error
		wg.Go(func() { errDelete = s.Delete(t.Context(), ports.DeleteInput{GameID: gameID}) })
		wg.Go(func() {
			_, errPut = s.Put(t.Context(), ports.PutInput{Record: RunningRecord(gameID), IfRevision: &removed.Revision})
		})
		wg.Wait()
		if errDelete == nil {
			require.ErrorIs(t, errPut, runtime.ErrConflict)
			requireAbsent(t, s, gameID)
			continue
		}
		require.ErrorIs(t, errDelete, operation.ErrRejected, "the write came first")
		require.NoError(t, errPut)
		require.Len(t, readState(t, s, gameID).history, 2)
	}
}

func testDeleteEndedContext(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, removedRecord("a"))
	before := readState(t, s, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Delete(ctx, ports.DeleteInput{GameID: "a"}), context.Canceled)
	requireUnchanged(t, s, before)
}

func testDeleteMany(t *testing.T, _ Harness, s Store) {
	const games = 150
	errs := make([]error, games)
	var wg sync.WaitGroup
	for n := range games {
		wg.Go(func() {
			if errs[n] = s.Upsert(t.Context(), removedRecord(GameName(n))); errs[n] == nil {
				errs[n] = s.Delete(t.Context(), ports.DeleteInput{GameID: GameName(n)})
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	requireEmpty(t, s)
}

func testDeleteFenced(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("running"))
	putRecord(t, s, removedRecord("removed"))
	fence := h.Fences.Grant(t, s)
	h.Fences.Revoke(t, s, fence)
	for _, gameID := range []string{"removed", "running", "missing"} {
		require.ErrorIs(t, s.Delete(t.Context(), ports.DeleteInput{GameID: gameID, Fence: &fence}), runtime.ErrFenced, gameID)
	}
	valid := h.Fences.Grant(t, s)
	require.NoError(t, s.Delete(t.Context(), ports.DeleteInput{GameID: "removed", Fence: &valid}))
	requireAbsent(t, s, "removed")
}
