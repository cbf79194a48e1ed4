package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func fenceBehaviours(h Harness) []behaviour {
	if h.Fences == nil {
		return nil
	}
	return []behaviour{
		{name: "a fence that holds lets writes pass", test: fenceHolds},
		{name: "a revoked fence is ErrFenced and nothing is written", test: fenceRevoked},
		{name: "a fence of another create revision is ErrFenced", test: fenceOtherRevision},
		{name: "a fence on a key that never was is ErrFenced", test: fenceUnknownKey},
		{name: "a new leader's fence holds while the old one's does not", test: fenceReplaced},
		{name: "a fence does not do away with the expectations", test: fenceAndConflict},
		{name: "a fence that does not hold is told before what was expected", test: fenceBeforeConflict},
		{name: "a fence that can never hold is ErrInvalid", test: fenceInvalid},
	}
}

// requireFenced wants every kind of write to be refused for the fence.
func requireFenced(t *testing.T, s ports.Store, fence node.Fence) {
	t.Helper()
	before := stateOf(t, s, "a")
	written, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stop("a", 5), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrFenced, "transition")
	require.Zero(t, written)
	_, err = s.Put(t.Context(), ports.PutInput{Record: removed("a"), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrFenced, "put over a record")
	requireUntouched(t, s, before)
	_, err = s.Put(t.Context(), ports.PutInput{Record: running("new"), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrFenced, "put of a new record")
	_, err = s.Get(t.Context(), "new")
	require.ErrorIs(t, err, runtime.ErrNotFound)
}

// requireNotFenced wants both kinds of write to pass, and leaves "a" running.
func requireNotFenced(t *testing.T, s ports.Store, fence node.Fence) {
	t.Helper()
	_, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stop("a", 5), Fence: &fence})
	require.NoError(t, err, "transition")
	_, err = s.Put(t.Context(), ports.PutInput{Record: running("a"), Fence: &fence})
	require.NoError(t, err, "put")
}

func fenceHolds(t *testing.T, h Harness, s ports.Store) {
	put(t, s, running("a"))
	requireNotFenced(t, s, h.Fences.Grant(t, s))
}

func fenceRevoked(t *testing.T, h Harness, s ports.Store) {
	put(t, s, running("a"))
	fence := h.Fences.Grant(t, s)
	h.Fences.Revoke(t, s, fence)
	requireFenced(t, s, fence)
}

func fenceOtherRevision(t *testing.T, h Harness, s ports.Store) {
	put(t, s, running("a"))
	fence := h.Fences.Grant(t, s)
	for _, off := range []int64{-1, 1, 1 << 40} {
		requireFenced(t, s, node.Fence{Key: fence.Key, CreateRevision: fence.CreateRevision + off})
	}
	requireNotFenced(t, s, fence)
}

func fenceUnknownKey(t *testing.T, h Harness, s ports.Store) {
	put(t, s, running("a"))
	fence := h.Fences.Grant(t, s)
	requireFenced(t, s, node.Fence{Key: fence.Key + "-never", CreateRevision: fence.CreateRevision})
}

func fenceReplaced(t *testing.T, h Harness, s ports.Store) {
	put(t, s, running("a"))
	old := h.Fences.Grant(t, s)
	h.Fences.Revoke(t, s, old)
	requireNotFenced(t, s, h.Fences.Grant(t, s))
	requireFenced(t, s, old)
}

func fenceAndConflict(t *testing.T, h Harness, s ports.Store) {
	put(t, s, stopped("a"))
	before := stateOf(t, s, "a")
	fence := h.Fences.Grant(t, s)
	_, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stop("a", 5), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrConflict)
	_, err = s.Put(t.Context(), ports.PutInput{Record: running("a"), IfRevision: pointer(int64(0)), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrConflict)
	_, err = s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stop("missing", 5), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrNotFound)
	requireUntouched(t, s, before)
}

func fenceBeforeConflict(t *testing.T, h Harness, s ports.Store) {
	put(t, s, stopped("a"))
	before := stateOf(t, s, "a")
	fence := h.Fences.Grant(t, s)
	h.Fences.Revoke(t, s, fence)
	_, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stop("a", 5), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrFenced, "a transition from another status")
	_, err = s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stop("missing", 5), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrFenced, "a transition of no game")
	_, err = s.Put(t.Context(), ports.PutInput{Record: running("a"), IfRevision: pointer(int64(0)), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrFenced, "a put that expects another revision")
	requireUntouched(t, s, before)
}

func fenceInvalid(t *testing.T, h Harness, s ports.Store) {
	put(t, s, running("a"))
	before := stateOf(t, s, "a")
	key := h.Fences.Grant(t, s).Key
	for _, fence := range []node.Fence{{}, {CreateRevision: 1}, {Key: key}, {Key: key + "-never"}, {Key: key, CreateRevision: -1}} {
		_, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stop("a", 5), Fence: &fence})
		requireInvalid(t, err, "fence")
		_, err = s.Put(t.Context(), ports.PutInput{Record: removed("a"), Fence: &fence})
		requireInvalid(t, err, "fence")
	}
	requireUntouched(t, s, before)
}
