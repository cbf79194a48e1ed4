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

func transitionBehaviours() []behaviour {
	behaviours := []behaviour{
		{name: "stopping changes its fields and no other", test: stopEffects},
		{name: "removing from running changes its fields and no other", test: removeRunningEffects},
		{name: "removing from stopped keeps stopped_at", test: removeStoppedEffects},
		{name: "running again keeps the container and clears stopped_at", test: resumeEffects},
		{name: "Now is kept in UTC to the nanosecond", test: transitionNow},
		{name: "Now may be earlier than the record's instants", test: transitionIntoPast},
		{name: "a guard that holds lets the transition pass", test: guardHolds},
		{name: "an empty guard is no guard", test: guardEmpty},
		{name: "a transition of a game without a record is ErrNotFound", test: transitionMissing},
		{name: "a guarded transition of a game without a record is ErrNotFound", test: transitionMissingGuarded},
		{name: "a removed game has no transition", test: removedStays},
		{name: "Transition returns what Get returns next", test: transitionReturns},
		{name: "a transition of one game leaves the others alone", test: transitionIsLocal},
	}
	for _, from := range runtime.Statuses() {
		for _, to := range runtime.Statuses() {
			behaviours = append(behaviours, pairBehaviour(from, to))
		}
	}
	return behaviours
}

// pairBehaviour is one of the nine pairs of statuses.
func pairBehaviour(from, to runtime.Status) behaviour {
	allowed := map[runtime.Status][]runtime.Status{
		runtime.StatusRunning: {runtime.StatusStopped, runtime.StatusRemoved},
		runtime.StatusStopped: {runtime.StatusRunning, runtime.StatusRemoved},
	}
	if slices.Contains(allowed[from], to) {
		return behaviour{name: fmt.Sprintf("%s to %s is allowed", from, to), test: func(t *testing.T, _ Harness, s ports.Store) {
			put(t, s, record("a", from))
			require.NoError(t, s.UpdateStatus(t.Context(), move("a", from, to, 5)))
			require.Equal(t, to, stateOf(t, s, "a").Record.Status)
		}}
	}
	return behaviour{name: fmt.Sprintf("%s to %s is refused", from, to), test: func(t *testing.T, _ Harness, s ports.Store) {
		put(t, s, record("a", from))
		before := stateOf(t, s, "a")
		for _, gameID := range []string{"a", "missing"} {
			requirePairRefused(t, s.UpdateStatus(t.Context(), move(gameID, from, to, 5)), from, to)
			_, err := s.Transition(t.Context(), operation(move(gameID, from, to, 5), "op"))
			requirePairRefused(t, err, from, to)
		}
		requireUntouched(t, s, before)
	}}
}

func requirePairRefused(t *testing.T, err error, from, to runtime.Status) {
	t.Helper()
	require.ErrorIs(t, err, runtime.ErrInvalidTransition)
	var refused *runtime.TransitionError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, runtime.TransitionError{From: from, To: to}, *refused)
}

// requireEffects applies the transition and fails unless the record becomes
// exactly what want makes of it.
func requireEffects(t *testing.T, s ports.Store, before runtime.RuntimeRecord, to runtime.Status, want func(*runtime.RuntimeRecord)) {
	t.Helper()
	put(t, s, before)
	require.NoError(t, s.UpdateStatus(t.Context(), move(before.GameID, before.Status, to, 30)))
	after := before.Clone()
	after.Status, after.LastOpAt = to, instant(30)
	want(&after)
	require.Equal(t, after, stateOf(t, s, before.GameID).Record)
}

func stopEffects(t *testing.T, _ Harness, s ports.Store) {
	requireEffects(t, s, running("a"), runtime.StatusStopped, func(r *runtime.RuntimeRecord) {
		r.StoppedAt = instantPtr(30)
	})
}

func removeRunningEffects(t *testing.T, _ Harness, s ports.Store) {
	requireEffects(t, s, running("a"), runtime.StatusRemoved, func(r *runtime.RuntimeRecord) {
		r.RemovedAt, r.CurrentContainerID = instantPtr(30), ""
	})
}

func removeStoppedEffects(t *testing.T, _ Harness, s ports.Store) {
	requireEffects(t, s, stopped("a"), runtime.StatusRemoved, func(r *runtime.RuntimeRecord) {
		r.RemovedAt, r.CurrentContainerID = instantPtr(30), ""
	})
}

func resumeEffects(t *testing.T, _ Harness, s ports.Store) {
	requireEffects(t, s, stopped("a"), runtime.StatusRunning, func(r *runtime.RuntimeRecord) {
		r.StartedAt, r.StoppedAt = instantPtr(30), nil
	})
}

func transitionNow(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	input := stop("a", 5)
	input.Now = instant(5).Add(7 * time.Nanosecond).In(time.FixedZone("UTC-8", -8*3600))
	moved := transition(t, s, input)
	want := instant(5).Add(7 * time.Nanosecond)
	require.Equal(t, want, moved.Record.LastOpAt)
	require.Equal(t, &want, moved.Record.StoppedAt)
	require.Equal(t, moved, stateOf(t, s, "a").VersionedRecord)
}

func transitionIntoPast(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	moved := transition(t, s, stop("a", -100))
	require.Equal(t, instant(-100), moved.Record.LastOpAt)
}

func guardHolds(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	input := stop("a", 5)
	input.ExpectedContainerID = "container-1"
	require.NoError(t, s.UpdateStatus(t.Context(), input))
	require.Equal(t, runtime.StatusStopped, stateOf(t, s, "a").Record.Status)
}

func guardEmpty(t *testing.T, _ Harness, s ports.Store) {
	r := running("a")
	r.CurrentContainerID = "whatever"
	put(t, s, r)
	require.NoError(t, s.UpdateStatus(t.Context(), stop("a", 5)))
}

func transitionMissing(t *testing.T, _ Harness, s ports.Store) {
	require.ErrorIs(t, s.UpdateStatus(t.Context(), stop("a", 5)), runtime.ErrNotFound)
	written, err := s.Transition(t.Context(), operation(stop("a", 5), "op"))
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.NotErrorIs(t, err, runtime.ErrConflict)
	require.Zero(t, written)
	requireEmpty(t, s)
}

func transitionMissingGuarded(t *testing.T, _ Harness, s ports.Store) {
	input := stop("a", 5)
	input.ExpectedContainerID = "container-1"
	require.ErrorIs(t, s.UpdateStatus(t.Context(), input), runtime.ErrNotFound)
	requireEmpty(t, s)
}

func removedStays(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, removed("a"))
	before := stateOf(t, s, "a")
	for _, from := range runtime.Statuses() {
		for _, to := range runtime.Statuses() {
			require.Error(t, s.UpdateStatus(t.Context(), move("a", from, to, 5)), "%s to %s", from, to)
		}
	}
	requireUntouched(t, s, before)
}

func transitionReturns(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	moved := transition(t, s, stop("a", 5))
	require.Greater(t, moved.Revision, first.Revision)
	require.Equal(t, moved, stateOf(t, s, "a").VersionedRecord)
	scribble(&moved.Record)
	require.NotEqual(t, moved.Record, stateOf(t, s, "a").Record, "the returned record shares no memory with the store")
}

func transitionIsLocal(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	put(t, s, running("b"))
	before := stateOf(t, s, "b")
	transition(t, s, stop("a", 5))
	requireUntouched(t, s, before)
}

func conflictBehaviours() []behaviour {
	return []behaviour{
		{name: "a stale status names status and carries the record that won", test: conflictStatus},
		{name: "a stale container names container_id and carries the record that won", test: conflictContainer},
		{name: "a removed record conflicts with every expectation", test: conflictRemoved},
		{name: "when status and container both differ the one named does differ", test: conflictBoth},
		{name: "a second identical transition conflicts", test: conflictSecond},
		{name: "an Upsert in between is seen", test: conflictAfterUpsert},
		{name: "a conflict writes nothing", test: conflictWritesNothing},
		{name: "a conflict's record shares no memory with the store", test: conflictSharesNothing},
		{name: "the container guard compares exactly", test: conflictGuardExact},
	}
}

// requireConflict makes the transition fail and checks the whole ConflictError.
func requireConflict(t *testing.T, s ports.Store, input ports.UpdateStatusInput, want runtime.ConflictError) {
	t.Helper()
	before := stateOf(t, s, input.GameID)
	want.GameID, want.Current, want.Revision = input.GameID, before.Record, before.Revision
	_, transitioned := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: input})
	for _, err := range []error{s.UpdateStatus(t.Context(), input), transitioned} {
		require.ErrorIs(t, err, runtime.ErrConflict)
		var conflict *runtime.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, want, *conflict)
	}
	requireUntouched(t, s, before)
}

func conflictStatus(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, stopped("a"))
	requireConflict(t, s, stop("a", 5), runtime.ConflictError{
		Precondition: runtime.PreconditionStatus, Expected: "running", Actual: "stopped",
	})
}

func conflictContainer(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	input := stop("a", 5)
	input.ExpectedContainerID = "container-0"
	requireConflict(t, s, input, runtime.ConflictError{
		Precondition: runtime.PreconditionContainerID, Expected: "container-0", Actual: "container-1",
	})
}

func conflictRemoved(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, removed("a"))
	for _, from := range []runtime.Status{runtime.StatusRunning, runtime.StatusStopped} {
		requireConflict(t, s, move("a", from, runtime.StatusRemoved, 5), runtime.ConflictError{
			Precondition: runtime.PreconditionStatus, Expected: string(from), Actual: "removed",
		})
	}
}

func conflictBoth(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, stopped("a"))
	input := stop("a", 5)
	input.ExpectedContainerID = "container-0"
	var conflict *runtime.ConflictError
	require.ErrorAs(t, s.UpdateStatus(t.Context(), input), &conflict)
	switch conflict.Precondition {
	case runtime.PreconditionStatus:
		require.Equal(t, []string{"running", "stopped"}, []string{conflict.Expected, conflict.Actual})
	case runtime.PreconditionContainerID:
		require.Equal(t, []string{"container-0", "container-1"}, []string{conflict.Expected, conflict.Actual})
	default:
		require.Fail(t, "neither expectation is named", "%v", conflict)
	}
}

func conflictSecond(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	transition(t, s, stop("a", 5))
	requireConflict(t, s, stop("a", 5), runtime.ConflictError{
		Precondition: runtime.PreconditionStatus, Expected: "running", Actual: "stopped",
	})
}

func conflictAfterUpsert(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	other := running("a")
	other.CurrentContainerID = "container-2"
	put(t, s, other)
	input := stop("a", 5)
	input.ExpectedContainerID = "container-1"
	requireConflict(t, s, input, runtime.ConflictError{
		Precondition: runtime.PreconditionContainerID, Expected: "container-1", Actual: "container-2",
	})
}

func conflictWritesNothing(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, stopped("a"))
	before := stateOf(t, s, "a")
	for n := range 10 {
		require.ErrorIs(t, s.UpdateStatus(t.Context(), stop("a", n)), runtime.ErrConflict)
	}
	requireUntouched(t, s, before)
	requireOnlyUnder(t, s, "a", runtime.StatusStopped)
}

func conflictSharesNothing(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, stopped("a"))
	var conflict *runtime.ConflictError
	require.ErrorAs(t, s.UpdateStatus(t.Context(), stop("a", 5)), &conflict)
	scribble(&conflict.Current)
	require.Equal(t, stopped("a"), stateOf(t, s, "a").Record)
}

func conflictGuardExact(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	for _, guard := range []string{"container", "container-11", "Container-1", "container-1 "} {
		input := stop("a", 5)
		input.ExpectedContainerID = guard
		requireConflict(t, s, input, runtime.ConflictError{
			Precondition: runtime.PreconditionContainerID, Expected: guard, Actual: "container-1",
		})
	}
}
