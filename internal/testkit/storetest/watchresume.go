package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func watchResumeTests() []contractTest {
	return []contractTest{
		{name: "a watch from any revision delivers exactly the changes above it", test: testResumeAnywhere},
		{name: "a replayed event equals the live one", test: testResumeSameEvents},
		{name: "a watch from synced delivers exactly the changes after the snapshot", test: testResumeFromSynced},
		{name: "a watch from the current revision delivers only later writes", test: testResumeFromHead},
		{name: "a watch replays history and then delivers live changes", test: testResumeContinuesLive},
		{name: "the store's own identity is accepted with a revision", test: testResumeOwnStore},
		{name: "a watch from a revision without a change delivers the changes above it", test: testResumeBetween},
		{name: "a foreign revision is a resync with Resync", test: testResumeForeign},
		{name: "a watch that resumes yields neither snapshot nor synced", test: testResumeWithoutSnapshot},
	}
}

// putGameHistories writes three games and changes each of them several times. It
// returns the revision of each write.
func putGameHistories(t *testing.T, s Store) []int64 {
	t.Helper()
	var revisions []int64
	for n := range 3 {
		revisions = append(revisions, putRecord(t, s, RunningRecord(GameName(n))).Revision)
	}
	for n := range 3 {
		revisions = append(revisions, recordRevisions(alternateStatus(t, s, GameName(n), 3))...)
		revisions = append(revisions, putRecord(t, s, removedRecord(GameName(n))).Revision)
	}
	return revisions
}

func testResumeAnywhere(t *testing.T, _ Harness, s Store) {
	revisions := putGameHistories(t, s)
	last := revisions[len(revisions)-1]
	for i := range len(revisions) - 1 {
		events := openWatch(t, s, ports.WatchOptions{FromRevision: revisions[i]}).readUntil(last)
		require.Equal(t, revisions[i+1:], eventRevisions(events), "from change %d", i)
	}
}

func testResumeSameEvents(t *testing.T, _ Harness, s Store) {
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	revisions := putGameHistories(t, s)
	last := revisions[len(revisions)-1]
	live := w.readUntil(last)
	require.Equal(t, revisions, eventRevisions(live))
	replayed := openWatch(t, s, ports.WatchOptions{FromRevision: revisions[3]}).readUntil(last)
	require.Equal(t, live[4:], replayed)
}

func testResumeFromSynced(t *testing.T, _ Harness, s Store) {
	putGameHistories(t, s)
	_, revision := openWatch(t, s, ports.WatchOptions{}).readSnapshot()
	want := putGameHistories(t, s)
	events := openWatch(t, s, ports.WatchOptions{FromRevision: revision}).readUntil(want[len(want)-1])
	require.Equal(t, want, eventRevisions(events))
}

func testResumeFromHead(t *testing.T, _ Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	w := openWatch(t, s, ports.WatchOptions{FromRevision: currentRevision(t, s)})
	requireChange(t, w, ports.EventTransitioned, &before.Record, applyTransition(t, s, stopInput("a", 5)))
}

func testResumeForeign(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	for _, foreign := range []struct {
		options ports.WatchOptions
		reason  ports.ResyncReason
	}{
		{ports.WatchOptions{FromRevision: futureRevision(t, s), Resync: true}, ports.ResyncFutureRevision},
		{ports.WatchOptions{FromRevision: first.Revision, Store: "another", Resync: true}, ports.ResyncOtherStore},
		{ports.WatchOptions{Store: "another", Resync: true}, ports.ResyncOtherStore},
	} {
		w := openWatch(t, s, foreign.options)
		resync := w.nextChange()
		require.Equal(t, ports.EventResync, resync.Type)
		require.Equal(t, foreign.reason, resync.Reason)
		records, _ := w.readSnapshot()
		require.Equal(t, []string{"a"}, gameIDs(records))
	}
}

func testResumeContinuesLive(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	want := recordRevisions(alternateStatus(t, s, "a", 4))
	w := openWatch(t, s, ports.WatchOptions{FromRevision: first.Revision})
	require.Equal(t, want, eventRevisions(w.readUntil(want[3])))
	want = recordRevisions(alternateStatus(t, s, "a", 4))
	require.Equal(t, want, eventRevisions(w.readUntil(want[3])))
}

func testResumeOwnStore(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	info, err := s.Info(t.Context())
	require.NoError(t, err)
	w := openWatch(t, s, ports.WatchOptions{FromRevision: first.Revision, Store: info.ID})
	requireChange(t, w, ports.EventTransitioned, &first.Record, applyTransition(t, s, stopInput("a", 5)))
	records, _ := openWatch(t, s, ports.WatchOptions{Store: info.ID}).readSnapshot()
	require.Len(t, records, 1)
}

func testResumeBetween(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	stoppedVersion := applyTransition(t, s, stopInput("a", 5))
	w := openWatch(t, s, ports.WatchOptions{FromRevision: first.Revision - 1})
	require.Equal(t, []int64{first.Revision, stoppedVersion.Revision}, eventRevisions(w.readUntil(stoppedVersion.Revision)))
}

func testResumeWithoutSnapshot(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	putRecord(t, s, RunningRecord("b"))
	last := putRecord(t, s, RunningRecord("c"))
	for _, event := range openWatch(t, s, ports.WatchOptions{FromRevision: first.Revision, Resync: true}).readUntil(last.Revision) {
		require.Equal(t, ports.EventUpserted, event.Type)
		require.Equal(t, runtime.StatusRunning, event.After.Status)
	}
}
