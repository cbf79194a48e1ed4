package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func resumeBehaviours() []behaviour {
	return []behaviour{
		{name: "from any revision come exactly the changes above it", test: resumeAnywhere},
		{name: "a resumed event is the same as when it was live", test: resumeSameEvents},
		{name: "from synced come exactly the changes after the snapshot", test: resumeFromSynced},
		{name: "from the present revision comes only what is written later", test: resumeFromHead},
		{name: "history is replayed and then goes on live", test: resumeGoesLive},
		{name: "a store's own identity is accepted with a revision", test: resumeOwnStore},
		{name: "from a revision of no change of this store come the changes above it", test: resumeBetween},
		{name: "a watch that resumes has no snapshot and no synced", test: resumeWithoutSnapshot},
	}
}

// lifeOfGames writes changes to three games, one after the other, and returns
// the revision of each.
func lifeOfGames(t *testing.T, s ports.Store) []int64 {
	t.Helper()
	var revisions []int64
	for n := range 3 {
		revisions = append(revisions, put(t, s, running(game(n))).Revision)
	}
	for n := range 3 {
		revisions = append(revisions, revisionsOf(pingPong(t, s, game(n), 3))...)
		revisions = append(revisions, put(t, s, removed(game(n))).Revision)
	}
	return revisions
}

func resumeAnywhere(t *testing.T, _ Harness, s ports.Store) {
	revisions := lifeOfGames(t, s)
	last := revisions[len(revisions)-1]
	for i := range len(revisions) - 1 {
		events := openWatch(t, s, ports.WatchOptions{FromRevision: revisions[i]}).until(last)
		require.Equal(t, revisions[i+1:], eventRevisions(events), "from the change number %d", i)
	}
}

func resumeSameEvents(t *testing.T, _ Harness, s ports.Store) {
	w := synced(t, s, ports.WatchOptions{})
	revisions := lifeOfGames(t, s)
	last := revisions[len(revisions)-1]
	live := w.until(last)
	require.Equal(t, revisions, eventRevisions(live))
	replayed := openWatch(t, s, ports.WatchOptions{FromRevision: revisions[3]}).until(last)
	require.Equal(t, live[4:], replayed)
}

func resumeFromSynced(t *testing.T, _ Harness, s ports.Store) {
	lifeOfGames(t, s)
	_, revision := openWatch(t, s, ports.WatchOptions{}).snapshot()
	want := lifeOfGames(t, s)
	events := openWatch(t, s, ports.WatchOptions{FromRevision: revision}).until(want[len(want)-1])
	require.Equal(t, want, eventRevisions(events))
}

func resumeFromHead(t *testing.T, _ Harness, s ports.Store) {
	before := put(t, s, running("a"))
	w := openWatch(t, s, ports.WatchOptions{FromRevision: head(t, s)})
	requireChange(t, w, ports.EventTransitioned, &before.Record, transition(t, s, stop("a", 5)))
}

func resumeGoesLive(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	want := revisionsOf(pingPong(t, s, "a", 4))
	w := openWatch(t, s, ports.WatchOptions{FromRevision: first.Revision})
	require.Equal(t, want, eventRevisions(w.until(want[3])))
	want = revisionsOf(pingPong(t, s, "a", 4))
	require.Equal(t, want, eventRevisions(w.until(want[3])))
}

func resumeOwnStore(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	info, err := s.Info(t.Context())
	require.NoError(t, err)
	w := openWatch(t, s, ports.WatchOptions{FromRevision: first.Revision, Store: info.ID})
	requireChange(t, w, ports.EventTransitioned, &first.Record, transition(t, s, stop("a", 5)))
	records, _ := openWatch(t, s, ports.WatchOptions{Store: info.ID}).snapshot()
	require.Len(t, records, 1)
}

func resumeBetween(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	moved := transition(t, s, stop("a", 5))
	w := openWatch(t, s, ports.WatchOptions{FromRevision: first.Revision - 1})
	require.Equal(t, []int64{first.Revision, moved.Revision}, eventRevisions(w.until(moved.Revision)))
}

func resumeWithoutSnapshot(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	put(t, s, running("b"))
	last := put(t, s, running("c"))
	for _, event := range openWatch(t, s, ports.WatchOptions{FromRevision: first.Revision, Resync: true}).until(last.Revision) {
		require.Equal(t, ports.EventUpserted, event.Type)
		require.Equal(t, runtime.StatusRunning, event.After.Status)
	}
}
