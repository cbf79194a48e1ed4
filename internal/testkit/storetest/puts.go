package storetest

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func putBehaviours() []behaviour {
	return []behaviour{
		{name: "Put returns the record as it stands and a growing revision", test: putReturns},
		{name: "Put without an expectation overwrites", test: putUnconditional},
		{name: "Put that expects no record inserts", test: putExpectsNone},
		{name: "Put that expects no record conflicts with one that is there", test: putExpectsNoneConflict},
		{name: "Put that expects the present revision overwrites", test: putExpectsPresent},
		{name: "Put that expects an older revision conflicts", test: putExpectsStale},
		{name: "Put that expects a revision of a game without a record conflicts", test: putExpectsMissing},
		{name: "Put that expects a negative revision is ErrInvalid", test: putExpectsNegative},
		{name: "a revision of another game does not satisfy an expectation", test: putExpectsOther},
	}
}

func putIf(t *testing.T, s ports.Store, r runtime.RuntimeRecord, revision int64) (runtime.VersionedRecord, error) {
	t.Helper()
	return s.Put(t.Context(), ports.PutInput{Record: r, IfRevision: &revision})
}

func putReturns(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	require.Equal(t, running("a"), first.Record)
	require.Positive(t, first.Revision)
	second := put(t, s, stopped("a"))
	require.Equal(t, stopped("a"), second.Record)
	require.Greater(t, second.Revision, first.Revision)
	require.Equal(t, second, stateOf(t, s, "a").VersionedRecord)
}

func putUnconditional(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, removed("a"))
	require.Equal(t, running("a"), put(t, s, running("a")).Record)
}

func putExpectsNone(t *testing.T, _ Harness, s ports.Store) {
	written, err := putIf(t, s, running("a"), 0)
	require.NoError(t, err)
	require.Equal(t, written, stateOf(t, s, "a").VersionedRecord)
}

// requireRevisionConflict checks the whole ConflictError of a Put on game "a"
// that exists, and that nothing was written.
func requireRevisionConflict(t *testing.T, s ports.Store, expected int64) {
	t.Helper()
	before := stateOf(t, s, "a")
	written, err := putIf(t, s, removed("a"), expected)
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
	require.Zero(t, written)
	requireUntouched(t, s, before)
}

func putExpectsNoneConflict(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	requireRevisionConflict(t, s, 0)
}

func putExpectsPresent(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	second, err := putIf(t, s, stopped("a"), first.Revision)
	require.NoError(t, err)
	moved := transition(t, s, resume("a", 5))
	third, err := putIf(t, s, removed("a"), moved.Revision)
	require.NoError(t, err)
	require.Greater(t, third.Revision, second.Revision)
	require.Equal(t, third, stateOf(t, s, "a").VersionedRecord)
}

func putExpectsStale(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	put(t, s, running("a"))
	requireRevisionConflict(t, s, first.Revision)
	requireRevisionConflict(t, s, farFuture(t, s))
}

func putExpectsMissing(t *testing.T, _ Harness, s ports.Store) {
	other := put(t, s, running("other"))
	_, err := putIf(t, s, running("a"), other.Revision)
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

func putExpectsNegative(t *testing.T, _ Harness, s ports.Store) {
	_, err := putIf(t, s, running("a"), -1)
	requireInvalid(t, err, "if_revision")
	requireEmpty(t, s)
}

func putExpectsOther(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	other := put(t, s, running("b"))
	requireRevisionConflict(t, s, other.Revision)
}
