package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func fenceTests(h Harness) []contractTest {
	if h.Fences == nil {
		return nil
	}
	return []contractTest{
		{name: "writes with a valid fence succeed", test: testFenceValid},
		{name: "a revoked fence is ErrFenced and nothing is written", test: testFenceRevoked},
		{name: "a fence of another create revision is ErrFenced", test: testFenceOtherRevision},
		{name: "a fence on a key that never existed is ErrFenced", test: testFenceUnknownKey},
		{name: "the new leader's fence is valid and the previous leader's is not", test: testFenceReplaced},
		{name: "preconditions are checked under a valid fence too", test: testFenceAndConflict},
		{name: "ErrFenced takes precedence over a failed precondition", test: testFenceBeforeConflict},
		{name: "a fence that can never be valid is ErrInvalid", test: testFenceInvalid},
	}
}

// requireFenced fails unless every kind of write with the fence returns ErrFenced and
// writes nothing.
func requireFenced(t *testing.T, s Store, fence node.Fence) {
	t.Helper()
	before := readState(t, s, "a")
	record, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("a", 5), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrFenced, "transition")
	require.Zero(t, record)
	_, err = s.Put(t.Context(), ports.PutInput{Record: removedRecord("a"), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrFenced, "put over a record")
	requireUnchanged(t, s, before)
	_, err = s.Put(t.Context(), ports.PutInput{Record: RunningRecord("new"), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrFenced, "put of a new record")
	_, err = s.Get(t.Context(), "new")
	require.ErrorIs(t, err, runtime.ErrNotFound)
}

// requireNotFenced fails unless both kinds of write with the fence succeed. It leaves
// game "a" running.
func requireNotFenced(t *testing.T, s Store, fence node.Fence) {
	t.Helper()
	_, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("a", 5), Fence: &fence})
	require.NoError(t, err, "transition")
	_, err = s.Put(t.Context(), ports.PutInput{Record: RunningRecord("a"), Fence: &fence})
	require.NoError(t, err, "put")
}

func testFenceValid(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	requireNotFenced(t, s, h.Fences.Grant(t, s))
}

func testFenceRevoked(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	fence := h.Fences.Grant(t, s)
	h.Fences.Revoke(t, s, fence)
	requireFenced(t, s, fence)
}

func testFenceOtherRevision(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	fence := h.Fences.Grant(t, s)
	for _, offset := range []int64{-1, 1, 1 << 40} {
		requireFenced(t, s, node.Fence{Key: fence.Key, CreateRevision: fence.CreateRevision + offset})
	}
	requireNotFenced(t, s, fence)
}

func testFenceUnknownKey(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	fence := h.Fences.Grant(t, s)
	requireFenced(t, s, node.Fence{Key: fence.Key + "-never", CreateRevision: fence.CreateRevision})
}

func testFenceReplaced(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	old := h.Fences.Grant(t, s)
	h.Fences.Revoke(t, s, old)
	requireNotFenced(t, s, h.Fences.Grant(t, s))
	requireFenced(t, s, old)
}

func testFenceAndConflict(t *testing.T, h Harness, s Store) {
	putRecord(t, s, StoppedRecord("a"))
	before := readState(t, s, "a")
	fence := h.Fences.Grant(t, s)
	_, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("a", 5), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrConflict)
	_, err = s.Put(t.Context(), ports.PutInput{Record: RunningRecord("a"), IfRevision: Pointer(int64(0)), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrConflict)
	_, err = s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("missing", 5), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrNotFound)
	requireUnchanged(t, s, before)
}

func testFenceBeforeConflict(t *testing.T, h Harness, s Store) {
	putRecord(t, s, StoppedRecord("a"))
	before := readState(t, s, "a")
	fence := h.Fences.Grant(t, s)
	h.Fences.Revoke(t, s, fence)
	_, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("a", 5), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrFenced, "a transition from another status")
	_, err = s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("missing", 5), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrFenced, "a transition of a game without a record")
	_, err = s.Put(t.Context(), ports.PutInput{Record: RunningRecord("a"), IfRevision: Pointer(int64(0)), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrFenced, "a put with another revision as its precondition")
	requireUnchanged(t, s, before)
}

func testFenceInvalid(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	before := readState(t, s, "a")
	key := h.Fences.Grant(t, s).Key
	for _, fence := range []node.Fence{{}, {CreateRevision: 1}, {Key: key}, {Key: key + "-never"}, {Key: key, CreateRevision: -1}} {
		_, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("a", 5), Fence: &fence})
		RequireInvalid(t, err, "fence")
		_, err = s.Put(t.Context(), ports.PutInput{Record: removedRecord("a"), Fence: &fence})
		RequireInvalid(t, err, "fence")
	}
	requireUnchanged(t, s, before)
}
