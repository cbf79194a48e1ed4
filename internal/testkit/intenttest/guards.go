package intenttest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/storetest"
)

// guardTests are the tests of ports.OperationGuard, for a store of records and intents.
func guardTests() []intentTest {
	return []intentTest{
		{"a guarded write of a game without an intent succeeds", testGuardWithoutIntent},
		{"an operation in progress on the record's node is a BusyError", testGuardBusy},
		{"an intent without an operation is a ManagedError for GuardNoIntent only", testGuardManaged},
		{"GuardManagedRecord is GuardNoIntent only if there is a record", testGuardManagedRecord},
		{"a condition is written only by the intent that it was computed by", testConditionIfIntentRevision},
		{"a failed precondition takes precedence over the guard", testGuardAfterPrecondition},
	}
}

// guardedStop changes record "a" from running to stopped with the guard.
func guardedStop(t *testing.T, s ports.IntentStore, guard ports.OperationGuard) error {
	t.Helper()
	input := ports.TransitionInput{
		UpdateStatusInput: storetest.TransitionInput("a", runtime.StatusRunning, runtime.StatusStopped, 5), Guard: guard,
	}
	_, err := recordsOf(s).Transition(t.Context(), input)
	return err
}

func recordsOf(s ports.IntentStore) ports.RuntimeWriter {
	return s.(ports.RuntimeWriter) //nolint:forcetypeassert // every store of intents keeps records
}

func putRunning(t *testing.T, s ports.IntentStore, guard ports.OperationGuard) error {
	t.Helper()
	_, err := recordsOf(s).Put(t.Context(), ports.PutInput{Record: storetest.RunningRecord("a"), Guard: guard})
	return err
}

// putOperation stores an intent of "a", with an operation in progress on the record's node.
func putOperation(t *testing.T, s ports.IntentStore, isActive bool) {
	t.Helper()
	record := storetest.RunningRecord("a")
	intent := operation.Intent{GameID: "a"}
	if isActive {
		intent.Current = &operation.Operation{ID: "the-start", Kind: operation.KindStart, Region: record.Region, Node: record.Node, Actor: "ada"}
	}
	_, err := s.PutIntent(t.Context(), intent, ports.IntentVersion{})
	require.NoError(t, err)
}

func testConditionIfIntentRevision(t *testing.T, _ Harness, s ports.IntentStore) {
	conditions, isWriter := s.(ports.ConditionWriter)
	require.True(t, isWriter)
	record, err := recordsOf(s).Put(t.Context(), ports.PutInput{Record: storetest.RunningRecord("a")})
	require.NoError(t, err)
	first := putIntent(t, s, operation.Intent{GameID: "a"}, 0)
	second := putIntent(t, s, operation.Intent{GameID: "a", DesiredStatus: runtime.StatusRunning}, first)
	input := ports.ConditionInput{
		GameID: "a", IfRevision: record.Revision, IfIntentRevision: first, Condition: runtime.Condition{DesiredStatus: runtime.StatusRunning},
	}
	_, err = conditions.SetCondition(t.Context(), input)
	var conflict *runtime.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, runtime.PreconditionRevision, conflict.Precondition)
	require.Equal(t, second, conflict.Revision)
	input.IfIntentRevision = second
	updated, err := conditions.SetCondition(t.Context(), input)
	require.NoError(t, err)
	require.Equal(t, runtime.StatusRunning, updated.Record.DesiredStatus)
}

func testGuardWithoutIntent(t *testing.T, _ Harness, s ports.IntentStore) {
	for _, guard := range []ports.OperationGuard{ports.GuardNoOperation, ports.GuardNoIntent} {
		require.NoError(t, putRunning(t, s, guard))
		require.NoError(t, guardedStop(t, s, guard))
	}
}

func testGuardBusy(t *testing.T, _ Harness, s ports.IntentStore) {
	putOperation(t, s, true)
	for _, guard := range []ports.OperationGuard{ports.GuardNoOperation, ports.GuardNoIntent} {
		require.NoError(t, putRunning(t, s, ports.GuardNone))
		err := guardedStop(t, s, guard)
		var busy *operation.BusyError
		require.ErrorAs(t, err, &busy)
		require.Equal(t, "the-start", busy.OperationID)
		require.Equal(t, "ada", busy.Actor)
		_, err = recordsOf(s).Transition(t.Context(), ports.TransitionInput{
			UpdateStatusInput: storetest.TransitionInput("a", runtime.StatusRunning, runtime.StatusRemoved, 6),
		})
		require.NoError(t, err, "the record was still running, and a write without a guard succeeds")
		require.ErrorIs(t, putRunning(t, s, guard), operation.ErrBusy)
	}
}

func testGuardManaged(t *testing.T, _ Harness, s ports.IntentStore) {
	putOperation(t, s, false)
	require.ErrorIs(t, putRunning(t, s, ports.GuardNoIntent), operation.ErrManaged)
	require.NoError(t, putRunning(t, s, ports.GuardNoOperation))
	require.ErrorIs(t, guardedStop(t, s, ports.GuardNoIntent), operation.ErrManaged)
	require.NoError(t, guardedStop(t, s, ports.GuardNoOperation))
}

func testGuardManagedRecord(t *testing.T, _ Harness, s ports.IntentStore) {
	put := func(record runtime.RuntimeRecord) error {
		_, err := recordsOf(s).Put(t.Context(), ports.PutInput{Record: record, Guard: ports.GuardManagedRecord})
		return err
	}
	running, stopped := storetest.RunningRecord("a"), storetest.StoppedRecord("a")
	require.NoError(t, put(stopped))
	require.NoError(t, put(running), "there is no intent")
	putOperation(t, s, false)
	running.EngineEndpoint = "http://10.0.0.8:8080"
	require.ErrorIs(t, put(running), operation.ErrManaged, "the status is the same")
	err := put(stopped)
	var managed *operation.ManagedError
	require.ErrorAs(t, err, &managed)
	require.Equal(t, operation.ManagedError{GameID: "a", Node: node.RefOf(running), To: runtime.StatusStopped}, *managed)
	require.ErrorIs(t, guardedStop(t, s, ports.GuardManagedRecord), operation.ErrManaged)

	stored, err := s.GetIntent(t.Context(), "a")
	require.NoError(t, err)
	stored.Intent.Current = &operation.Operation{ID: "the-start", Kind: operation.KindStart, Region: running.Region, Node: running.Node}
	_, err = s.PutIntent(t.Context(), stored.Intent, stored.IntentVersion)
	require.NoError(t, err)
	require.ErrorIs(t, put(running), operation.ErrBusy)
}

func testGuardAfterPrecondition(t *testing.T, _ Harness, s ports.IntentStore) {
	putOperation(t, s, true)
	require.ErrorIs(t, guardedStop(t, s, ports.GuardNoIntent), runtime.ErrNotFound)
	require.NoError(t, putRunning(t, s, ports.GuardNone))
	input := ports.TransitionInput{
		UpdateStatusInput: storetest.TransitionInput("a", runtime.StatusStopped, runtime.StatusRemoved, 5), Guard: ports.GuardNoOperation,
	}
	_, err := recordsOf(s).Transition(t.Context(), input)
	require.ErrorIs(t, err, runtime.ErrConflict)
}
