package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func transitionTests() []contractTest {
	tests := []contractTest{
		{name: "stopping changes the fields of a stop and no other", test: testStopEffects},
		{name: "removing from running changes the fields of a removal and no other", test: testRemoveRunningEffects},
		{name: "removing from stopped keeps stopped_at", test: testRemoveStoppedEffects},
		{name: "resuming keeps the container and clears stopped_at", test: testResumeEffects},
		{name: "Now is stored in UTC to the nanosecond", test: testTransitionNow},
		{name: "Now may be earlier than the record's timestamps", test: testTransitionWithEarlierNow},
		{name: "a transition with a matching container guard succeeds", test: testGuardMatches},
		{name: "an empty container guard matches every container", test: testGuardEmpty},
		{name: "a transition of a game without a record is ErrNotFound", test: testTransitionMissing},
		{name: "a guarded transition of a game without a record is ErrNotFound", test: testTransitionMissingGuarded},
		{name: "a removed game has no transition", test: testRemovedHasNoTransition},
		{name: "Transition returns what Get returns next", test: testTransitionReturns},
		{name: "a transition of one game does not change the others", test: testTransitionIsLocal},
		{name: "Endpoint replaces the endpoint in the same write", test: testTransitionEndpoint},
	}
	for _, from := range runtime.Statuses() {
		for _, to := range runtime.Statuses() {
			tests = append(tests, statusPairTest(from, to))
		}
	}
	return tests
}

// statusPairTest returns the test of one of the nine pairs of statuses.
func statusPairTest(from, to runtime.Status) contractTest {
	allowed := map[runtime.Status][]runtime.Status{
		runtime.StatusRunning: {runtime.StatusStopped, runtime.StatusRemoved},
		runtime.StatusStopped: {runtime.StatusRunning, runtime.StatusRemoved},
	}
	if slices.Contains(allowed[from], to) {
		return contractTest{name: fmt.Sprintf("%s to %s is allowed", from, to), test: func(t *testing.T, _ Harness, s Store) {
			putRecord(t, s, NewRecord("a", from))
			require.NoError(t, s.UpdateStatus(t.Context(), TransitionInput("a", from, to, 5)))
			require.Equal(t, to, readState(t, s, "a").Record.Status)
		}}
	}
	return contractTest{name: fmt.Sprintf("%s to %s is rejected", from, to), test: func(t *testing.T, _ Harness, s Store) {
		putRecord(t, s, NewRecord("a", from))
		before := readState(t, s, "a")
		for _, gameID := range []string{"a", "missing"} {
			requirePairRejected(t, s.UpdateStatus(t.Context(), TransitionInput(gameID, from, to, 5)), from, to)
			_, err := s.Transition(t.Context(), withOperationID(TransitionInput(gameID, from, to, 5), "op"))
			requirePairRejected(t, err, from, to)
		}
		requireUnchanged(t, s, before)
	}}
}

func requirePairRejected(t *testing.T, err error, from, to runtime.Status) {
	t.Helper()
	require.ErrorIs(t, err, runtime.ErrInvalidTransition)
	var rejected *runtime.TransitionError
	require.ErrorAs(t, err, &rejected)
	require.Equal(t, runtime.TransitionError{From: from, To: to}, *rejected)
}

// requireEffects applies the transition and fails unless the record then equals before
// with the status, LastOpAt and the changes of want.
func requireEffects(t *testing.T, s Store, before runtime.RuntimeRecord, to runtime.Status, want func(*runtime.RuntimeRecord)) {
	t.Helper()
	putRecord(t, s, before)
	require.NoError(t, s.UpdateStatus(t.Context(), TransitionInput(before.GameID, before.Status, to, 30)))
	after := before.Clone()
	after.Status, after.LastOpAt = to, TimeAt(30)
	want(&after)
	require.Equal(t, after, readState(t, s, before.GameID).Record)
}

func testStopEffects(t *testing.T, _ Harness, s Store) {
	requireEffects(t, s, RunningRecord("a"), runtime.StatusStopped, func(r *runtime.RuntimeRecord) {
		r.StoppedAt = timePtrAt(30)
	})
}

func testRemoveRunningEffects(t *testing.T, _ Harness, s Store) {
	requireEffects(t, s, RunningRecord("a"), runtime.StatusRemoved, func(r *runtime.RuntimeRecord) {
		r.RemovedAt, r.CurrentContainerID = timePtrAt(30), ""
	})
}

func testRemoveStoppedEffects(t *testing.T, _ Harness, s Store) {
	requireEffects(t, s, StoppedRecord("a"), runtime.StatusRemoved, func(r *runtime.RuntimeRecord) {
		r.RemovedAt, r.CurrentContainerID = timePtrAt(30), ""
	})
}

func testResumeEffects(t *testing.T, _ Harness, s Store) {
	requireEffects(t, s, StoppedRecord("a"), runtime.StatusRunning, func(r *runtime.RuntimeRecord) {
		r.StartedAt, r.StoppedAt = timePtrAt(30), nil
	})
}

func testTransitionNow(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	input := stopInput("a", 5)
	input.Now = TimeAt(5).Add(7 * time.Nanosecond).In(time.FixedZone("UTC-8", -8*3600))
	record := applyTransition(t, s, input)
	want := TimeAt(5).Add(7 * time.Nanosecond)
	require.Equal(t, want, record.Record.LastOpAt)
	require.Equal(t, &want, record.Record.StoppedAt)
	require.Equal(t, record, readState(t, s, "a").VersionedRecord)
}

func testTransitionWithEarlierNow(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	record := applyTransition(t, s, stopInput("a", -100))
	require.Equal(t, TimeAt(-100), record.Record.LastOpAt)
}

func testGuardMatches(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	input := stopInput("a", 5)
	input.ExpectedContainerID = "container-1"
	require.NoError(t, s.UpdateStatus(t.Context(), input))
	require.Equal(t, runtime.StatusStopped, readState(t, s, "a").Record.Status)
}

func testGuardEmpty(t *testing.T, _ Harness, s Store) {
	r := RunningRecord("a")
	r.CurrentContainerID = "other-container"
	putRecord(t, s, r)
	require.NoError(t, s.UpdateStatus(t.Context(), stopInput("a", 5)))
}

func testTransitionMissing(t *testing.T, _ Harness, s Store) {
	require.ErrorIs(t, s.UpdateStatus(t.Context(), stopInput("a", 5)), runtime.ErrNotFound)
	record, err := s.Transition(t.Context(), withOperationID(stopInput("a", 5), "op"))
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.NotErrorIs(t, err, runtime.ErrConflict)
	require.Zero(t, record)
	requireEmpty(t, s)
}

func testTransitionMissingGuarded(t *testing.T, _ Harness, s Store) {
	input := stopInput("a", 5)
	input.ExpectedContainerID = "container-1"
	require.ErrorIs(t, s.UpdateStatus(t.Context(), input), runtime.ErrNotFound)
	requireEmpty(t, s)
}

func testRemovedHasNoTransition(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, removedRecord("a"))
	before := readState(t, s, "a")
	for _, from := range runtime.Statuses() {
		for _, to := range runtime.Statuses() {
			require.Error(t, s.UpdateStatus(t.Context(), TransitionInput("a", from, to, 5)), "%s to %s", from, to)
		}
	}
	requireUnchanged(t, s, before)
}

func testTransitionReturns(t *testing.T, _ Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	record := applyTransition(t, s, stopInput("a", 5))
	require.Greater(t, record.Revision, before.Revision)
	require.Equal(t, record, readState(t, s, "a").VersionedRecord)
	mutate(&record.Record)
	require.NotEqual(t, record.Record, readState(t, s, "a").Record, "the returned record shares no memory with the store")
}

func testTransitionIsLocal(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	putRecord(t, s, RunningRecord("b"))
	before := readState(t, s, "b")
	applyTransition(t, s, stopInput("a", 5))
	requireUnchanged(t, s, before)
}

func conflictTests() []contractTest {
	return []contractTest{
		{name: "a stale status is a conflict on status with the current record", test: testConflictStatus},
		{name: "a stale container is a conflict on container_id with the current record", test: testConflictContainer},
		{name: "a removed record conflicts with every expected status", test: testConflictRemoved},
		{name: "when status and container both differ the conflict names one of them", test: testConflictBoth},
		{name: "a second identical transition conflicts", test: testConflictOfSecondTransition},
		{name: "a transition after an Upsert conflicts with the new record", test: testConflictAfterUpsert},
		{name: "a conflict writes nothing", test: testConflictWritesNothing},
		{name: "a conflict's record shares no memory with the store", test: testConflictSharesNothing},
		{name: "the container guard compares exactly", test: testConflictGuardExact},
	}
}

// requireConflict fails unless the transition returns the complete ConflictError and
// writes nothing. It sets the game and the current record of want.
func requireConflict(t *testing.T, s Store, input ports.UpdateStatusInput, want runtime.ConflictError) {
	t.Helper()
	before := readState(t, s, input.GameID)
	want.GameID, want.Current, want.Revision = input.GameID, before.Record, before.Revision
	_, transitionErr := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: input})
	for _, err := range []error{s.UpdateStatus(t.Context(), input), transitionErr} {
		require.ErrorIs(t, err, runtime.ErrConflict)
		var conflict *runtime.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, want, *conflict)
	}
	requireUnchanged(t, s, before)
}

func testConflictStatus(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, StoppedRecord("a"))
	requireConflict(t, s, stopInput("a", 5), runtime.ConflictError{
		Precondition: runtime.PreconditionStatus, Expected: "running", Actual: "stopped",
	})
}

func testConflictContainer(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	input := stopInput("a", 5)
	input.ExpectedContainerID = "container-0"
	requireConflict(t, s, input, runtime.ConflictError{
		Precondition: runtime.PreconditionContainerID, Expected: "container-0", Actual: "container-1",
	})
}

func testConflictRemoved(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, removedRecord("a"))
	for _, from := range []runtime.Status{runtime.StatusRunning, runtime.StatusStopped} {
		requireConflict(t, s, TransitionInput("a", from, runtime.StatusRemoved, 5), runtime.ConflictError{
			Precondition: runtime.PreconditionStatus, Expected: string(from), Actual: "removed",
		})
	}
}

func testConflictBoth(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, StoppedRecord("a"))
	input := stopInput("a", 5)
	input.ExpectedContainerID = "container-0"
	var conflict *runtime.ConflictError
	require.ErrorAs(t, s.UpdateStatus(t.Context(), input), &conflict)
	switch conflict.Precondition {
	case runtime.PreconditionStatus:
		require.Equal(t, []string{"running", "stopped"}, []string{conflict.Expected, conflict.Actual})
	case runtime.PreconditionContainerID:
		require.Equal(t, []string{"container-0", "container-1"}, []string{conflict.Expected, conflict.Actual})
	default:
		require.Fail(t, "the conflict names neither precondition", "%v", conflict)
	}
}

func testConflictOfSecondTransition(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	applyTransition(t, s, stopInput("a", 5))
	requireConflict(t, s, stopInput("a", 5), runtime.ConflictError{
		Precondition: runtime.PreconditionStatus, Expected: "running", Actual: "stopped",
	})
}

func testConflictAfterUpsert(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	other := RunningRecord("a")
	other.CurrentContainerID = "container-2"
	putRecord(t, s, other)
	input := stopInput("a", 5)
	input.ExpectedContainerID = "container-1"
	requireConflict(t, s, input, runtime.ConflictError{
		Precondition: runtime.PreconditionContainerID, Expected: "container-1", Actual: "container-2",
	})
}

func testConflictWritesNothing(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, StoppedRecord("a"))
	before := readState(t, s, "a")
	for n := range 10 {
		require.ErrorIs(t, s.UpdateStatus(t.Context(), stopInput("a", n)), runtime.ErrConflict)
	}
	requireUnchanged(t, s, before)
	requireListedUnder(t, s, "a", runtime.StatusStopped)
}

func testConflictSharesNothing(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, StoppedRecord("a"))
	var conflict *runtime.ConflictError
	require.ErrorAs(t, s.UpdateStatus(t.Context(), stopInput("a", 5)), &conflict)
	mutate(&conflict.Current)
	require.Equal(t, StoppedRecord("a"), readState(t, s, "a").Record)
}

func testConflictGuardExact(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	for _, guard := range []string{"container", "container-11", "Container-1", "container-1 "} {
		input := stopInput("a", 5)
		input.ExpectedContainerID = guard
		requireConflict(t, s, input, runtime.ConflictError{
			Precondition: runtime.PreconditionContainerID, Expected: guard, Actual: "container-1",
		})
	}
}

func testTransitionEndpoint(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	if h.Fences == nil { // over HTTP neither fences nor endpoints are offered
		endpoint := ""
		_, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("a", 5), Endpoint: &endpoint})
		RequireInvalid(t, err, "engine_endpoint")
		return
	}
	for _, endpoint := range []string{"http://192.0.2.7:1", ""} {
		before := readState(t, s, "a").Record
		to := runtime.StatusStopped
		if before.Status == to {
			to = runtime.StatusRunning
		}
		input := ports.TransitionInput{UpdateStatusInput: TransitionInput("a", before.Status, to, 5), Endpoint: &endpoint}
		after, err := s.Transition(t.Context(), input)
		require.NoError(t, err)
		require.Equal(t, endpoint, after.Record.EngineEndpoint)
		require.Equal(t, after.Record, readState(t, s, "a").Record)
	}
}
