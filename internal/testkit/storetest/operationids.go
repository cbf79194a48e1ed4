package storetest

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func operationIDTests(h Harness) []contractTest {
	tests := []contractTest{
		{name: "a repeated transition changes nothing and returns the first result", test: testRepeatTransition},
		{name: "a repeated Put changes nothing and returns the first result", test: testRepeatPut},
		{name: "a repeated Put with the precondition of no record is no conflict", test: testRepeatConditionalPut},
		{name: "a repeat with other contents is an IDReusedError", test: testRepeatOtherContents},
		{name: "a repeated transition with other contents is an IDReusedError", test: testRepeatOtherTransition},
		{name: "a repeat after later writes returns the current record", test: testRepeatLater},
		{name: "a repeat after the status changed and changed back changes nothing", test: testRepeatAfterABA},
		{name: "the same operation id on two games is two writes", test: testOperationPerGame},
		{name: "an operation that conflicted may succeed later", test: testOperationAfterConflict},
		{name: "the store generates an operation id for writes without one", test: testOperationIDsAreGenerated},
		{name: "concurrent writes with one operation id are applied once", test: testOperationConcurrent},
	}
	if h.Fences == nil { // the API offers neither to a client
		return tests
	}
	return append(tests, contractTest{name: "a repeat with IgnoreContents and other contents changes nothing", test: testRepeatIgnoringContents})
}

func testRepeatTransition(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	first, err := s.Transition(t.Context(), withOperationID(stopInput("a", 5), "op"))
	require.NoError(t, err)
	before := readState(t, s, "a")
	repeated, err := s.Transition(t.Context(), withOperationID(stopInput("a", 6), "op"))
	require.NoError(t, err)
	require.Equal(t, first, repeated)
	requireUnchanged(t, s, before)
}

func testRepeatPut(t *testing.T, _ Harness, s Store) {
	input := ports.PutInput{Record: RunningRecord("a"), Origin: ports.Origin{OperationID: "op"}}
	first, err := s.Put(t.Context(), input)
	require.NoError(t, err)
	before := readState(t, s, "a")
	repeated, err := s.Put(t.Context(), input)
	require.NoError(t, err)
	require.Equal(t, first, repeated)
	requireUnchanged(t, s, before)
}

func testRepeatConditionalPut(t *testing.T, _ Harness, s Store) {
	input := ports.PutInput{Record: RunningRecord("a"), IfRevision: Pointer(int64(0)), Origin: ports.Origin{OperationID: "op"}}
	first, err := s.Put(t.Context(), input)
	require.NoError(t, err)
	repeated, err := s.Put(t.Context(), input)
	require.NoError(t, err)
	require.Equal(t, first, repeated)
}

func testRepeatOtherContents(t *testing.T, _ Harness, s Store) {
	origin := ports.Origin{OperationID: "op"}
	first, err := s.Put(t.Context(), ports.PutInput{Record: RunningRecord("a"), Origin: origin})
	require.NoError(t, err)
	before := readState(t, s, "a")
	changed := RunningRecord("a")
	changed.EngineEndpoint = "http://10.0.0.8:8080" // not in the ledger
	for _, other := range []runtime.RuntimeRecord{changed, removedRecord("a")} {
		_, err := s.Put(t.Context(), ports.PutInput{Record: other, Origin: origin})
		requireIDReused(t, err)
	}
	_, err = s.Transition(t.Context(), withOperationID(stopInput("a", 5), "op"))
	requireIDReused(t, err)
	requireUnchanged(t, s, before)

	putRecord(t, s, StoppedRecord("a"))
	_, err = s.Put(t.Context(), ports.PutInput{Record: changed, Origin: origin})
	requireIDReused(t, err)
	repeated, err := s.Put(t.Context(), ports.PutInput{Record: first.Record, Origin: origin})
	require.NoError(t, err)
	require.Equal(t, runtime.StatusStopped, repeated.Record.Status, "the current record")
}

func requireIDReused(t *testing.T, err error) {
	t.Helper()
	var reused *operation.IDReusedError
	require.ErrorAs(t, err, &reused)
	require.Equal(t, operation.IDReusedError{GameID: "a", OperationID: "op"}, *reused)
}

func testRepeatOtherTransition(t *testing.T, _ Harness, s Store) {
	running := RunningRecord("a")
	putRecord(t, s, running)
	_, err := s.Transition(t.Context(), withOperationID(stopInput("a", 5), "op"))
	require.NoError(t, err)
	before := readState(t, s, "a")
	guarded := stopInput("a", 5)
	guarded.ExpectedContainerID = running.CurrentContainerID
	for _, other := range []ports.UpdateStatusInput{
		guarded, resumeInput("a", 5), TransitionInput("a", runtime.StatusStopped, runtime.StatusRemoved, 5),
	} {
		_, err := s.Transition(t.Context(), withOperationID(other, "op"))
		requireIDReused(t, err)
	}
	_, err = s.Put(t.Context(), ports.PutInput{Record: before.Record, Origin: ports.Origin{OperationID: "op"}})
	requireIDReused(t, err)
	requireUnchanged(t, s, before)
}

func testRepeatIgnoringContents(t *testing.T, _ Harness, s Store) {
	first, err := s.Put(t.Context(), ports.PutInput{Record: RunningRecord("a"), Origin: ports.Origin{OperationID: "op"}})
	require.NoError(t, err)
	origin := ports.Origin{OperationID: "op", IgnoreContents: true}
	repeated, err := s.Put(t.Context(), ports.PutInput{Record: removedRecord("a"), Origin: origin})
	require.NoError(t, err)
	require.Equal(t, first, repeated)
	repeated, err = s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("a", 5), Origin: origin})
	require.NoError(t, err)
	require.Equal(t, first, repeated)

	origin.OperationID = "op-2"
	_, err = s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("a", 5), Origin: origin})
	require.NoError(t, err)
	_, err = s.Transition(t.Context(), withOperationID(TransitionInput("a", runtime.StatusStopped, runtime.StatusRemoved, 6), "op-2"))
	require.ErrorIs(t, err, operation.ErrIDReused, "the store keeps the hash of such a write too")
}

func testRepeatLater(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	_, err := s.Transition(t.Context(), withOperationID(stopInput("a", 5), "op"))
	require.NoError(t, err)
	putRecord(t, s, removedRecord("a"))
	before := readState(t, s, "a")
	repeated, err := s.Transition(t.Context(), withOperationID(stopInput("a", 5), "op"))
	require.NoError(t, err)
	require.Equal(t, before.VersionedRecord, repeated)
	requireUnchanged(t, s, before)
}

func testRepeatAfterABA(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	_, err := s.Transition(t.Context(), withOperationID(stopInput("a", 5), "op-x"))
	require.NoError(t, err)
	resumed, err := s.Transition(t.Context(), withOperationID(resumeInput("a", 6), "op-y"))
	require.NoError(t, err)
	before := readState(t, s, "a")
	repeated, err := s.Transition(t.Context(), withOperationID(stopInput("a", 5), "op-x"))
	require.NoError(t, err)
	require.Equal(t, resumed, repeated)
	requireUnchanged(t, s, before)
}

func testOperationPerGame(t *testing.T, _ Harness, s Store) {
	for _, gameID := range []string{"a", "b"} {
		putRecord(t, s, RunningRecord(gameID))
		_, err := s.Transition(t.Context(), withOperationID(stopInput(gameID, 5), "op"))
		require.NoError(t, err)
		require.Equal(t, runtime.StatusStopped, readState(t, s, gameID).Record.Status)
	}
}

func testOperationAfterConflict(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, StoppedRecord("a"))
	_, err := s.Transition(t.Context(), withOperationID(stopInput("a", 5), "op"))
	require.ErrorIs(t, err, runtime.ErrConflict)
	applyTransition(t, s, resumeInput("a", 6))
	stoppedVersion, err := s.Transition(t.Context(), withOperationID(stopInput("a", 7), "op"))
	require.NoError(t, err)
	require.Equal(t, runtime.StatusStopped, stoppedVersion.Record.Status)
}

func testOperationIDsAreGenerated(t *testing.T, _ Harness, s Store) {
	require.NoError(t, s.Upsert(t.Context(), RunningRecord("a")))
	require.NoError(t, s.UpdateStatus(t.Context(), stopInput("a", 5)))
	applyTransition(t, s, resumeInput("a", 6))
	seen := map[string]bool{}
	for _, entry := range readState(t, s, "a").history {
		require.NotEmpty(t, entry.OperationID)
		seen[entry.OperationID] = true
	}
	require.Len(t, seen, 3, "no two writes share an operation id")
}

func testOperationConcurrent(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	const senders = 16
	var wg sync.WaitGroup
	records := make([]runtime.VersionedRecord, senders)
	errs := make([]error, senders)
	for n := range senders {
		wg.Go(func() {
			records[n], errs[n] = s.Transition(t.Context(), withOperationID(stopInput("a", 5), "op"))
		})
	}
	wg.Wait()
	for n := range senders {
		require.NoError(t, errs[n])
		require.Equal(t, records[0], records[n])
	}
	require.Len(t, readState(t, s, "a").history, 2)
}
