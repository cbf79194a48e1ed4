package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func conditionTests(h Harness) []contractTest {
	if h.Conditions == nil {
		return nil
	}
	tests := []contractTest{
		{name: "the condition is replaced and every other field stays", test: testConditionReplaced},
		{name: "a condition adds no ledger entry and keeps the operation ids", test: testConditionLedger},
		{name: "a condition is delivered to watches as upserted", test: testConditionWatched},
		{name: "a transition keeps the condition, and a put replaces it", test: testConditionAndWrites},
		{name: "an equal condition is not updated", test: testConditionEqual},
		{name: "another revision is a conflict and nothing is updated", test: testConditionConflict},
		{name: "a missing record is ErrNotFound", test: testConditionMissing},
		{name: "invalid input is ErrInvalid", test: testConditionInvalid},
		{name: "a returned condition shares no memory with the store", test: testConditionSharesNothing},
	}
	if h.Fences != nil {
		tests = append(tests, contractTest{name: "an invalid fence is ErrFenced and nothing is updated", test: testConditionFenced})
	}
	return tests
}

// newCondition returns a condition with every field set.
func newCondition() runtime.Condition {
	return runtime.Condition{
		DesiredStatus: runtime.StatusRunning, Health: runtime.HealthUnhealthy, HealthSince: timePtrAt(7),
		Restarts: 2, CrashLoop: true, NodeLostAt: timePtrAt(8),
		Operation: &runtime.OperationInProgress{ID: "op-1", Kind: "restart", StartedAt: TimeAt(9)},
	}
}

// setCondition sets the condition of the record and returns the new one.
func setCondition(t *testing.T, h Harness, s Store, before runtime.VersionedRecord, condition runtime.Condition) runtime.VersionedRecord {
	t.Helper()
	after, err := h.Conditions(s).SetCondition(t.Context(), ports.ConditionInput{
		GameID: before.Record.GameID, IfRevision: before.Revision, Condition: condition,
	})
	require.NoError(t, err)
	return after
}

func testConditionReplaced(t *testing.T, h Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	after := setCondition(t, h, s, before, newCondition())
	require.Greater(t, after.Revision, before.Revision)
	want := RunningRecord("a")
	want.Condition = newCondition()
	require.Equal(t, want, after.Record)
	require.Equal(t, after, readState(t, s, "a").VersionedRecord)
	cleared := setCondition(t, h, s, after, runtime.Condition{})
	require.Equal(t, RunningRecord("a"), cleared.Record)
}

func testConditionLedger(t *testing.T, h Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	stop := withOperationID(stopInput("a", 5), "op-stop")
	stopped, err := s.Transition(t.Context(), stop)
	require.NoError(t, err)
	history := readState(t, s, "a").history
	after := setCondition(t, h, s, stopped, newCondition())
	for range 40 { // more than the entries of a ledger
		after = setCondition(t, h, s, after, runtime.Condition{Restarts: after.Record.Restarts + 1})
	}
	require.Equal(t, history, readState(t, s, "a").history)
	require.Equal(t, before.Revision, history[1].Revision)

	repeated, err := s.Transition(t.Context(), stop)
	require.NoError(t, err)
	require.Equal(t, after, repeated, "the operation was executed before")
	resumed := applyTransition(t, s, resumeInput("a", 6))
	newest := readState(t, s, "a").history[0]
	require.Equal(t, int64(3), newest.Seq)
	require.Equal(t, resumed.Revision, newest.Revision)
}

func testConditionWatched(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	stopped := applyTransition(t, s, stopInput("a", 5))
	w := openWatch(t, s, ports.WatchOptions{FromRevision: stopped.Revision})
	after := setCondition(t, h, s, stopped, newCondition())
	event := w.nextChange()
	require.Equal(t, ports.EventUpserted, event.Type)
	require.Equal(t, after.Revision, event.Revision)
	require.Equal(t, &stopped.Record, event.Before)
	require.Equal(t, &after.Record, event.After)
	applyTransition(t, s, resumeInput("a", 6))
	require.Equal(t, ports.EventTransitioned, w.nextChange().Type)
}

func testConditionAndWrites(t *testing.T, h Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	condition := runtime.Condition{DesiredStatus: runtime.StatusRunning, Restarts: 2}
	setCondition(t, h, s, before, condition)
	stopped := applyTransition(t, s, stopInput("a", 5))
	require.Equal(t, condition, stopped.Record.Condition)
	replaced := newCondition()
	resume, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: resumeInput("a", 6), Condition: &replaced})
	require.NoError(t, err)
	require.Equal(t, newCondition(), resume.Record.Condition, "the transition has updated its condition")
	require.Equal(t, RunningRecord("a"), putRecord(t, s, RunningRecord("a")).Record)
}

func testConditionEqual(t *testing.T, h Harness, s Store) {
	before := setCondition(t, h, s, putRecord(t, s, RunningRecord("a")), newCondition())
	require.Equal(t, before, setCondition(t, h, s, before, newCondition()))
}

func testConditionConflict(t *testing.T, h Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	putRecord(t, s, StoppedRecord("a"))
	before := readState(t, s, "a")
	_, err := h.Conditions(s).SetCondition(t.Context(), ports.ConditionInput{GameID: "a", IfRevision: first.Revision, Condition: newCondition()})
	var conflict *runtime.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, runtime.PreconditionRevision, conflict.Precondition)
	require.Equal(t, before.Revision, conflict.Revision)
	requireUnchanged(t, s, before)
}

func testConditionMissing(t *testing.T, h Harness, s Store) {
	_, err := h.Conditions(s).SetCondition(t.Context(), ports.ConditionInput{GameID: "a", IfRevision: 1, Condition: newCondition()})
	require.ErrorIs(t, err, runtime.ErrNotFound)
}

func testConditionInvalid(t *testing.T, h Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	tooEarly := TimeAt(0).AddDate(-3000, 0, 0)
	for name, input := range map[string]ports.ConditionInput{
		"game id":  {GameID: "", IfRevision: before.Revision},
		"revision": {GameID: "a"},
		"text":     {GameID: "a", IfRevision: before.Revision, Condition: runtime.Condition{Health: "\xff"}},
		"time":     {GameID: "a", IfRevision: before.Revision, Condition: runtime.Condition{NodeLostAt: &tooEarly}},
	} {
		_, err := h.Conditions(s).SetCondition(t.Context(), input)
		require.ErrorIs(t, err, runtime.ErrInvalid, name)
	}
}

func testConditionSharesNothing(t *testing.T, h Harness, s Store) {
	condition := newCondition()
	after := setCondition(t, h, s, putRecord(t, s, RunningRecord("a")), condition)
	*condition.NodeLostAt, condition.Operation.ID = TimeAt(50), "mutated"
	*after.Record.HealthSince, after.Record.Operation.Kind = TimeAt(50), "mutated"
	require.Equal(t, newCondition(), readState(t, s, "a").Record.Condition)
}

func testConditionFenced(t *testing.T, h Harness, s Store) {
	record := putRecord(t, s, RunningRecord("a"))
	fence := h.Fences.Grant(t, s)
	input := ports.ConditionInput{GameID: "a", IfRevision: record.Revision, Condition: newCondition(), Fence: &fence}
	updated, err := h.Conditions(s).SetCondition(t.Context(), input)
	require.NoError(t, err)
	h.Fences.Revoke(t, s, fence)
	before := readState(t, s, "a")
	input.IfRevision, input.Condition = updated.Revision, runtime.Condition{}
	_, err = h.Conditions(s).SetCondition(t.Context(), input)
	require.ErrorIs(t, err, runtime.ErrFenced)
	input.IfRevision = record.Revision
	_, err = h.Conditions(s).SetCondition(t.Context(), input)
	require.ErrorIs(t, err, runtime.ErrFenced, "it takes precedence over the conflict")
	requireUnchanged(t, s, before)
}
