package storetest

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func operationBehaviours() []behaviour {
	return []behaviour{
		{name: "a repeated transition changes nothing and returns what the first left", test: repeatTransition},
		{name: "a repeated Put changes nothing and returns what the first left", test: repeatPut},
		{name: "a repeated Put that expected no record is no conflict", test: repeatConditionalPut},
		{name: "a repeat with other contents changes nothing", test: repeatOtherContents},
		{name: "a repeat after later writes returns what stands now", test: repeatLater},
		{name: "a repeat after the status went round and came back changes nothing", test: repeatABA},
		{name: "the same operation id on two games is two writes", test: operationPerGame},
		{name: "an operation that conflicted has not run and may run later", test: operationAfterConflict},
		{name: "writes without an operation id get fresh ones", test: operationFresh},
		{name: "one operation sent many times at once is written once", test: operationConcurrent},
	}
}

func repeatTransition(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	first, err := s.Transition(t.Context(), operation(stop("a", 5), "op"))
	require.NoError(t, err)
	before := stateOf(t, s, "a")
	again, err := s.Transition(t.Context(), operation(stop("a", 6), "op"))
	require.NoError(t, err)
	require.Equal(t, first, again)
	requireUntouched(t, s, before)
}

func repeatPut(t *testing.T, _ Harness, s ports.Store) {
	input := ports.PutInput{Record: running("a"), Origin: ports.Origin{OperationID: "op"}}
	first, err := s.Put(t.Context(), input)
	require.NoError(t, err)
	before := stateOf(t, s, "a")
	again, err := s.Put(t.Context(), input)
	require.NoError(t, err)
	require.Equal(t, first, again)
	requireUntouched(t, s, before)
}

func repeatConditionalPut(t *testing.T, _ Harness, s ports.Store) {
	input := ports.PutInput{Record: running("a"), IfRevision: pointer(int64(0)), Origin: ports.Origin{OperationID: "op"}}
	first, err := s.Put(t.Context(), input)
	require.NoError(t, err)
	again, err := s.Put(t.Context(), input)
	require.NoError(t, err)
	require.Equal(t, first, again)
}

func repeatOtherContents(t *testing.T, _ Harness, s ports.Store) {
	origin := ports.Origin{OperationID: "op"}
	first, err := s.Put(t.Context(), ports.PutInput{Record: running("a"), Origin: origin})
	require.NoError(t, err)
	again, err := s.Put(t.Context(), ports.PutInput{Record: removed("a"), Origin: origin})
	require.NoError(t, err)
	require.Equal(t, first, again)
	again, err = s.Transition(t.Context(), operation(stop("a", 5), "op"))
	require.NoError(t, err)
	require.Equal(t, first, again)
}

func repeatLater(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	_, err := s.Transition(t.Context(), operation(stop("a", 5), "op"))
	require.NoError(t, err)
	put(t, s, removed("a"))
	before := stateOf(t, s, "a")
	again, err := s.Transition(t.Context(), operation(stop("a", 5), "op"))
	require.NoError(t, err)
	require.Equal(t, before.VersionedRecord, again)
	requireUntouched(t, s, before)
}

func repeatABA(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	_, err := s.Transition(t.Context(), operation(stop("a", 5), "op-x"))
	require.NoError(t, err)
	back, err := s.Transition(t.Context(), operation(resume("a", 6), "op-y"))
	require.NoError(t, err)
	before := stateOf(t, s, "a")
	again, err := s.Transition(t.Context(), operation(stop("a", 5), "op-x"))
	require.NoError(t, err)
	require.Equal(t, back, again)
	requireUntouched(t, s, before)
}

func operationPerGame(t *testing.T, _ Harness, s ports.Store) {
	for _, gameID := range []string{"a", "b"} {
		put(t, s, running(gameID))
		_, err := s.Transition(t.Context(), operation(stop(gameID, 5), "op"))
		require.NoError(t, err)
		require.Equal(t, runtime.StatusStopped, stateOf(t, s, gameID).Record.Status)
	}
}

func operationAfterConflict(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, stopped("a"))
	_, err := s.Transition(t.Context(), operation(stop("a", 5), "op"))
	require.ErrorIs(t, err, runtime.ErrConflict)
	transition(t, s, resume("a", 6))
	moved, err := s.Transition(t.Context(), operation(stop("a", 7), "op"))
	require.NoError(t, err)
	require.Equal(t, runtime.StatusStopped, moved.Record.Status)
}

func operationFresh(t *testing.T, _ Harness, s ports.Store) {
	require.NoError(t, s.Upsert(t.Context(), running("a")))
	require.NoError(t, s.UpdateStatus(t.Context(), stop("a", 5)))
	transition(t, s, resume("a", 6))
	seen := map[string]bool{}
	for _, entry := range stateOf(t, s, "a").history {
		require.NotEmpty(t, entry.OperationID)
		seen[entry.OperationID] = true
	}
	require.Len(t, seen, 3, "no two writes share an operation id")
}

func operationConcurrent(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	const senders = 16
	var wg sync.WaitGroup
	written := make([]runtime.VersionedRecord, senders)
	failed := make([]error, senders)
	for n := range senders {
		wg.Go(func() {
			written[n], failed[n] = s.Transition(t.Context(), operation(stop("a", 5), "op"))
		})
	}
	wg.Wait()
	for n := range senders {
		require.NoError(t, failed[n])
		require.Equal(t, written[0], written[n])
	}
	require.Len(t, stateOf(t, s, "a").history, 2)
}
