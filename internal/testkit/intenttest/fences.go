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

func intentFenceTests() []intentTest {
	return []intentTest{
		{"a write with valid fences succeeds", testIntentFencesValid},
		{"one invalid fence of several is ErrFenced", testIntentFenced},
		{"ErrFenced takes precedence over a conflict", testIntentFencedBeforeConflict},
		{"the revision is compared under valid fences too", testIntentFenceAndConflict},
		{"a fence that can never be valid is ErrInvalid", testIntentFenceInvalid},
	}
}

func testIntentFencesValid(t *testing.T, h Harness, s ports.IntentStore) {
	fence := h.Grant(t, s)
	first, err := s.PutIntent(t.Context(), fullIntent("a"), ports.IntentVersion{}, fence)
	require.NoError(t, err)
	second, err := s.PutIntent(t.Context(), operation.Intent{GameID: "a"}, first, fence, fence)
	require.NoError(t, err)
	require.Equal(t, second.Revision, readIntent(t, s, "a").Revision)
}

func testIntentFenced(t *testing.T, h Harness, s ports.IntentStore) {
	before := intentAt(fullIntent("a"), putIntent(t, s, fullIntent("a"), 0))
	old := h.Grant(t, s)
	h.Revoke(t, s, old)
	present := h.Grant(t, s)
	unknown := node.Fence{Key: present.Key + "-never", CreateRevision: present.CreateRevision}
	for _, fences := range [][]node.Fence{{old}, {unknown}, {present, old}, {old, present}, {present, unknown}} {
		_, err := s.PutIntent(t.Context(), operation.Intent{GameID: "a"}, ports.IntentVersion{Revision: before.Revision}, fences...)
		require.ErrorIs(t, err, runtime.ErrFenced, "%+v", fences)
		_, err = s.PutIntent(t.Context(), operation.Intent{GameID: "new"}, ports.IntentVersion{}, fences...)
		require.ErrorIs(t, err, runtime.ErrFenced, "%+v", fences)
	}
	require.Equal(t, before, readIntent(t, s, "a"))
	require.Zero(t, readIntent(t, s, "new").Revision)
	_, err := s.PutIntent(t.Context(), operation.Intent{GameID: "a"}, ports.IntentVersion{Revision: before.Revision}, present)
	require.NoError(t, err)
}

func testIntentFencedBeforeConflict(t *testing.T, h Harness, s ports.IntentStore) {
	revision := putIntent(t, s, fullIntent("a"), 0)
	fence := h.Grant(t, s)
	h.Revoke(t, s, fence)
	for _, expected := range []int64{0, revision + 1} {
		_, err := s.PutIntent(t.Context(), fullIntent("a"), ports.IntentVersion{Revision: expected}, fence)
		require.ErrorIs(t, err, runtime.ErrFenced)
		require.NotErrorIs(t, err, runtime.ErrConflict)
	}
}

func testIntentFenceAndConflict(t *testing.T, h Harness, s ports.IntentStore) {
	putIntent(t, s, fullIntent("a"), 0)
	_, err := s.PutIntent(t.Context(), fullIntent("a"), ports.IntentVersion{}, h.Grant(t, s))
	require.ErrorIs(t, err, runtime.ErrConflict)
}

func testIntentFenceInvalid(t *testing.T, h Harness, s ports.IntentStore) {
	fence := h.Grant(t, s)
	for _, bad := range []node.Fence{{}, {CreateRevision: 1}, {Key: fence.Key}, {Key: fence.Key, CreateRevision: -1}} {
		_, err := s.PutIntent(t.Context(), fullIntent("a"), ports.IntentVersion{}, fence, bad)
		storetest.RequireInvalid(t, err, "fence")
	}
	require.Zero(t, readIntent(t, s, "a").Revision)
}

func corruptIntentTests() []intentTest {
	return []intentTest{
		{"a corrupt intent is reported, hides no other, and is never overwritten", testIntentCorrupt},
	}
}

func testIntentCorrupt(t *testing.T, h Harness, s ports.IntentStore) {
	revision := putIntent(t, s, fullIntent("bad"), 0)
	good := intentAt(fullIntent("good"), putIntent(t, s, fullIntent("good"), 0))
	key, corruptRevision := h.Corrupt(t, s, "bad")
	requireCorrupt := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, runtime.ErrCorrupt)
		var fault *runtime.CorruptError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, key, fault.Key)
		require.Equal(t, "bad", fault.GameID)
	}
	_, err := s.GetIntent(t.Context(), "bad")
	requireCorrupt(err)
	_, _, err = s.GetIntentAndRecord(t.Context(), "bad")
	requireCorrupt(err)
	found, err := s.GetIntents(t.Context(), []string{"bad", "good"})
	requireCorrupt(err)
	require.Equal(t, []ports.VersionedIntent{intentAt(operation.Intent{GameID: "bad"}, 0), good}, withoutStored(found))
	_, err = s.PutIntent(t.Context(), operation.Intent{GameID: "bad"}, ports.IntentVersion{Revision: corruptRevision})
	requireCorrupt(err)
	for _, expected := range []int64{0, revision} {
		_, err = s.PutIntent(t.Context(), operation.Intent{GameID: "bad"}, ports.IntentVersion{Revision: expected})
		require.ErrorIs(t, err, runtime.ErrConflict)
	}
	_, err = s.GetIntent(t.Context(), "bad")
	requireCorrupt(err)
}
