package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func readBehaviours() []behaviour {
	return []behaviour{
		{name: "Get of a game without a record is ErrNotFound", test: getMissing},
		{name: "Get returns what was written", test: getWritten},
		{name: "GetVersioned returns the revision of the last change", test: getVersioned},
		{name: "GetVersioned of a game without a record is ErrNotFound", test: getVersionedMissing},
		{name: "a write of another game does not move a record's revision", test: revisionIsPerGame},
		{name: "List of an empty store is an empty slice", test: listEmpty},
		{name: "List returns every record of any status", test: listAll},
		{name: "ListByStatus returns the records of that status and no other", test: listByStatus},
		{name: "ListByStatus of a status that nothing has is an empty slice", test: listByStatusEmpty},
		{name: "ListByStatus follows a transition", test: listByStatusFollowsTransition},
		{name: "ListByStatus follows an upsert", test: listByStatusFollowsUpsert},
		{name: "ListByStatus of an unknown status is ErrInvalid", test: listByUnknownStatus},
		{name: "List returns more records than one request of a store would hold", test: listMany},
		{name: "returned records share no memory with the store", test: readsShareNothing},
		{name: "listed records share no memory with the store", test: listsShareNothing},
	}
}

func getMissing(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("there"))
	found, err := s.Get(t.Context(), "missing")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.Zero(t, found, "beside an error the record is zero")
}

func getWritten(t *testing.T, _ Harness, s ports.Store) {
	for _, status := range runtime.Statuses() {
		want := record(string(status), status)
		require.NoError(t, s.Upsert(t.Context(), want))
		got, err := s.Get(t.Context(), want.GameID)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func getVersioned(t *testing.T, _ Harness, s ports.Store) {
	written := put(t, s, running("a"))
	read, err := s.GetVersioned(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, written, read)

	moved := transition(t, s, stop("a", 5))
	require.Greater(t, moved.Revision, written.Revision)
	read, err = s.GetVersioned(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, moved, read)
}

func getVersionedMissing(t *testing.T, _ Harness, s ports.Store) {
	found, err := s.GetVersioned(t.Context(), "missing")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.Zero(t, found)
}

func revisionIsPerGame(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	second := put(t, s, running("b"))
	require.Greater(t, second.Revision, first.Revision)
	require.Equal(t, first, stateOf(t, s, "a").VersionedRecord)
}

func listEmpty(t *testing.T, _ Harness, s ports.Store) {
	records, err := s.List(t.Context())
	require.NoError(t, err)
	require.NotNil(t, records)
	require.Empty(t, records)
}

func listAll(t *testing.T, _ Harness, s ports.Store) {
	want := []runtime.RuntimeRecord{running("a"), stopped("b"), removed("c"), running("d")}
	for _, r := range want {
		put(t, s, r)
	}
	got, err := s.List(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, want, got)
}

func listByStatus(t *testing.T, _ Harness, s ports.Store) {
	want := map[runtime.Status][]runtime.RuntimeRecord{
		runtime.StatusRunning: {running("a"), running("d")},
		runtime.StatusStopped: {stopped("b")},
		runtime.StatusRemoved: {removed("c"), removed("e"), removed("f")},
	}
	for _, records := range want {
		for _, r := range records {
			put(t, s, r)
		}
	}
	for status, records := range want {
		got, err := s.ListByStatus(t.Context(), status)
		require.NoError(t, err)
		require.ElementsMatch(t, records, got, "status %s", status)
	}
}

func listByStatusEmpty(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	got, err := s.ListByStatus(t.Context(), runtime.StatusRemoved)
	require.NoError(t, err)
	require.NotNil(t, got)
	require.Empty(t, got)
}

func listByStatusFollowsTransition(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	require.NoError(t, s.UpdateStatus(t.Context(), stop("a", 5)))
	requireOnlyUnder(t, s, "a", runtime.StatusStopped)
	require.NoError(t, s.UpdateStatus(t.Context(), resume("a", 6)))
	requireOnlyUnder(t, s, "a", runtime.StatusRunning)
	require.NoError(t, s.UpdateStatus(t.Context(), move("a", runtime.StatusRunning, runtime.StatusRemoved, 7)))
	requireOnlyUnder(t, s, "a", runtime.StatusRemoved)
}

func listByStatusFollowsUpsert(t *testing.T, _ Harness, s ports.Store) {
	for _, status := range []runtime.Status{runtime.StatusRemoved, runtime.StatusRunning, runtime.StatusStopped, runtime.StatusRemoved} {
		put(t, s, record("a", status))
		requireOnlyUnder(t, s, "a", status)
	}
}

// requireOnlyUnder fails unless the game is listed once, under the status.
func requireOnlyUnder(t *testing.T, s ports.Store, gameID string, status runtime.Status) {
	t.Helper()
	for _, other := range runtime.Statuses() {
		want := []string{}
		if other == status {
			want = append(want, gameID)
		}
		got, err := s.ListByStatus(t.Context(), other)
		require.NoError(t, err)
		require.Equal(t, want, ids(got), "listed under %s", other)
	}
}

func listByUnknownStatus(t *testing.T, _ Harness, s ports.Store) {
	for _, status := range []runtime.Status{"", "Running", "running ", "paused"} {
		got, err := s.ListByStatus(t.Context(), status)
		require.ErrorIs(t, err, runtime.ErrInvalid, "status %q", status)
		require.Empty(t, got)
	}
}

func listMany(t *testing.T, _ Harness, s ports.Store) {
	const games = 300
	for n := range games {
		r := running(game(n))
		r.Generation = int64(n)
		require.NoError(t, s.Upsert(t.Context(), r))
	}
	got, err := s.List(t.Context())
	require.NoError(t, err)
	require.Len(t, got, games)
	found := byID(got)
	for n := range games {
		require.Equal(t, int64(n), found[game(n)].Generation)
	}
}

func readsShareNothing(t *testing.T, _ Harness, s ports.Store) {
	want := stopped("a")
	written := put(t, s, stopped("a"))
	scribble(&written.Record)
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, want, got, "after the record that Put returned was changed")

	scribble(&got)
	versioned, err := s.GetVersioned(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, want, versioned.Record, "after the record that Get returned was changed")

	scribble(&versioned.Record)
	require.Equal(t, want, stateOf(t, s, "a").Record, "after the record that GetVersioned returned was changed")
}

func listsShareNothing(t *testing.T, _ Harness, s ports.Store) {
	want := stopped("a")
	put(t, s, want)
	for range 2 {
		all, err := s.List(t.Context())
		require.NoError(t, err)
		require.Equal(t, []runtime.RuntimeRecord{want}, all)
		scribble(&all[0])

		byStatus, err := s.ListByStatus(t.Context(), runtime.StatusStopped)
		require.NoError(t, err)
		require.Equal(t, []runtime.RuntimeRecord{want}, byStatus)
		scribble(&byStatus[0])

		page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 10})
		require.NoError(t, err)
		require.Equal(t, want, page.Records[0].Record)
		scribble(&page.Records[0].Record)
	}
}

// scribble writes over everything that a record points at.
func scribble(r *runtime.RuntimeRecord) {
	r.GameID, r.Region = "scribbled", "scribbled"
	for _, at := range []*time.Time{r.StartedAt, r.StoppedAt, r.RemovedAt} {
		if at != nil {
			*at = instant(999)
		}
	}
}
