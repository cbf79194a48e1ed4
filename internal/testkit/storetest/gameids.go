package storetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func gameIDTests() []contractTest {
	tests := []contractTest{
		{name: "all valid ids name distinct games", test: testValidIDsAreDistinct},
		{name: "composed and decomposed text are two games", test: testIDsAreNotNormalized},
		{name: "an id that is a prefix of another is another game", test: testIDsArePrefixFree},
	}
	for name, id := range ValidGameIDs() {
		tests = append(tests, contractTest{name: "valid: " + name, test: func(t *testing.T, _ Harness, s Store) { requireValidID(t, s, id) }})
	}
	for name, id := range InvalidGameIDs() {
		tests = append(tests, contractTest{name: "invalid: " + name, test: func(t *testing.T, _ Harness, s Store) { requireInvalidID(t, s, id) }})
	}
	return tests
}

// requireValidID runs one game with the id through every method.
func requireValidID(t *testing.T, s Store, id string) {
	requireRoundTrip(t, s, RunningRecord(id))
	stoppedVersion := applyTransition(t, s, stopInput(id, 5))
	require.Equal(t, id, stoppedVersion.Record.GameID)
	require.Len(t, readState(t, s, id).history, 2)

	all, err := s.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{id}, gameIDs(all))
	byStatus, err := s.ListByStatus(t.Context(), runtime.StatusStopped)
	require.NoError(t, err)
	require.Equal(t, []string{id}, gameIDs(byStatus))
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, []runtime.VersionedRecord{stoppedVersion}, page.Records)

	w := openWatch(t, s, ports.WatchOptions{GameID: id})
	snapshot, _ := w.readSnapshot()
	require.Equal(t, []string{id}, gameIDs(snapshot))
	applyTransition(t, s, resumeInput(id, 6))
	require.Equal(t, id, w.nextChange().GameID)

	err = s.UpdateStatus(t.Context(), resumeInput(id, 7))
	var conflict *runtime.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, id, conflict.GameID)
	require.Equal(t, id, conflict.Current.GameID)
}

// requireInvalidID fails unless every method rejects the id and nothing is written.
func requireInvalidID(t *testing.T, s Store, id string) {
	ctx := t.Context()
	calls := map[string]func() error{
		"Get":          func() error { _, err := s.Get(ctx, id); return err },
		"GetVersioned": func() error { _, err := s.GetVersioned(ctx, id); return err },
		"History":      func() error { _, err := s.History(ctx, id); return err },
		"Upsert":       func() error { return s.Upsert(ctx, RunningRecord(id)) },
		"Put":          func() error { _, err := s.Put(ctx, ports.PutInput{Record: RunningRecord(id)}); return err },
		"UpdateStatus": func() error { return s.UpdateStatus(ctx, stopInput(id, 5)) },
		"Transition":   func() error { _, err := s.Transition(ctx, withOperationID(stopInput(id, 5), "op")); return err },
	}
	if id != "" {
		calls["Watch"] = func() error { return firstWatchError(ctx, s, ports.WatchOptions{GameID: id}) }
	}
	for method, call := range calls {
		err := call()
		require.ErrorIs(t, err, runtime.ErrInvalid, "%s of %q", method, id)
		RequireInvalid(t, err, "game_id")
	}
	requireEmpty(t, s)
}

// firstWatchError returns the error that a watch yields first, and nil if it yields an
// event.
func firstWatchError(ctx context.Context, s Store, options ports.WatchOptions) error {
	for _, err := range s.Watch(ctx, options) {
		return err
	}
	return nil
}

func testValidIDsAreDistinct(t *testing.T, _ Harness, s Store) {
	want := map[string]runtime.RuntimeRecord{}
	for name, id := range ValidGameIDs() {
		r := RunningRecord(id)
		r.StatePath = name
		want[id] = r
		require.NoError(t, s.Upsert(t.Context(), r), "upsert %q", id)
	}
	all, err := s.List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, len(want))
	require.Equal(t, want, ByGameID(all))
	for id, r := range want {
		got, err := s.Get(t.Context(), id)
		require.NoError(t, err, "get %q", id)
		require.Equal(t, r, got)
		require.Len(t, readState(t, s, id).history, 1, "writes of %q", id)
	}
}

func testIDsAreNotNormalized(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("caf\u00e9"))
	_, err := s.Get(t.Context(), "cafe\u0301")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	putRecord(t, s, StoppedRecord("cafe\u0301"))
	require.Equal(t, runtime.StatusRunning, readState(t, s, "caf\u00e9").Record.Status)
}

func testIDsArePrefixFree(t *testing.T, _ Harness, s Store) {
	longerIDs := []string{"a/b", "a0", "a%2Fb", "aa", "a/", "a\u00e9"}
	for _, id := range longerIDs {
		putRecord(t, s, RunningRecord(id))
	}
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	_, err = s.History(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrNotFound)

	putRecord(t, s, RunningRecord("a"))
	w := openWatch(t, s, ports.WatchOptions{GameID: "a"})
	snapshot, _ := w.readSnapshot()
	require.Equal(t, []string{"a"}, gameIDs(snapshot))
	for _, id := range longerIDs {
		applyTransition(t, s, stopInput(id, 5))
	}
	require.Equal(t, runtime.StatusRunning, readState(t, s, "a").Record.Status)
	require.Len(t, readState(t, s, "a").history, 1)
	applyTransition(t, s, stopInput("a", 6))
	require.Equal(t, "a", w.nextChange().GameID)
}
