package storetest

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func putTests() []contractTest {
	return []contractTest{
		{name: "Put returns the written record and an increasing revision", test: testPutReturns},
		{name: "Put without a precondition overwrites", test: testPutUnconditional},
		{name: "Put with the precondition of no record inserts", test: testPutExpectsNone},
		{name: "Put with the precondition of no record conflicts with a record", test: testPutExpectsNoneConflict},
		{name: "Put with the current revision overwrites", test: testPutExpectsPresent},
		{name: "Put with an older revision conflicts", test: testPutExpectsStale},
		{name: "Put with a revision conflicts for a game without a record", test: testPutExpectsMissing},
		{name: "Put with a negative revision is ErrInvalid", test: testPutExpectsNegative},
		{name: "Put with the revision of another game conflicts", test: testPutExpectsOther},
	}
}

// putAtRevision writes the record with Put if the current one has the revision.
func putAtRevision(t *testing.T, s Store, r runtime.RuntimeRecord, revision int64) (runtime.VersionedRecord, error) {
	t.Helper()
	return s.Put(t.Context(), ports.PutInput{Record: r, IfRevision: &revision})
}

func testPutReturns(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	require.Equal(t, RunningRecord("a"), first.Record)
	require.Positive(t, first.Revision)
	second := putRecord(t, s, StoppedRecord("a"))
	require.Equal(t, StoppedRecord("a"), second.Record)
	require.Greater(t, second.Revision, first.Revision)
	require.Equal(t, second, readState(t, s, "a").VersionedRecord)
}

func testPutUnconditional(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, removedRecord("a"))
	require.Equal(t, RunningRecord("a"), putRecord(t, s, RunningRecord("a")).Record)
}

func testPutExpectsNone(t *testing.T, _ Harness, s Store) {
	record, err := putAtRevision(t, s, RunningRecord("a"), 0)
	require.NoError(t, err)
	require.Equal(t, record, readState(t, s, "a").VersionedRecord)
}

// requireRevisionConflict fails unless a Put of the existing game "a" with the revision
// returns a complete ConflictError and writes nothing.
func requireRevisionConflict(t *testing.T, s Store, expected int64) {
	t.Helper()
	before := readState(t, s, "a")
	record, err := putAtRevision(t, s, removedRecord("a"), expected)
	require.ErrorIs(t, err, runtime.ErrConflict)
	var conflict *runtime.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, runtime.ConflictError{
		GameID:       "a",
		Precondition: runtime.PreconditionRevision,
		Expected:     strconv.FormatInt(expected, 10),
		Actual:       strconv.FormatInt(before.Revision, 10),
		Current:      before.Record,
		Revision:     before.Revision,
	}, *conflict)
	require.Zero(t, record)
	requireUnchanged(t, s, before)
}

func testPutExpectsNoneConflict(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	requireRevisionConflict(t, s, 0)
}

func testPutExpectsPresent(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	second, err := putAtRevision(t, s, StoppedRecord("a"), first.Revision)
	require.NoError(t, err)
	resumed := applyTransition(t, s, resumeInput("a", 5))
	third, err := putAtRevision(t, s, removedRecord("a"), resumed.Revision)
	require.NoError(t, err)
	require.Greater(t, third.Revision, second.Revision)
	require.Equal(t, third, readState(t, s, "a").VersionedRecord)
}

func testPutExpectsStale(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	putRecord(t, s, RunningRecord("a"))
	requireRevisionConflict(t, s, first.Revision)
	requireRevisionConflict(t, s, futureRevision(t, s))
}

func testPutExpectsMissing(t *testing.T, _ Harness, s Store) {
	other := putRecord(t, s, RunningRecord("other"))
	_, err := putAtRevision(t, s, RunningRecord("a"), other.Revision)
	var conflict *runtime.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, runtime.ConflictError{
		GameID:       "a",
		Precondition: runtime.PreconditionRevision,
		Expected:     strconv.FormatInt(other.Revision, 10),
		Actual:       "0",
	}, *conflict)
	_, err = s.Get(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrNotFound)
}

func testPutExpectsNegative(t *testing.T, _ Harness, s Store) {
	_, err := putAtRevision(t, s, RunningRecord("a"), -1)
	RequireInvalid(t, err, "if_revision")
	requireEmpty(t, s)
}

func testPutExpectsOther(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	other := putRecord(t, s, RunningRecord("b"))
	requireRevisionConflict(t, s, other.Revision)
}
