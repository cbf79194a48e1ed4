package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func readTests() []contractTest {
	return []contractTest{
		{name: "Get of a game without a record is ErrNotFound", test: testGetMissing},
		{name: "Get returns the written record", test: testGetWritten},
		{name: "GetVersioned returns the revision of the last change", test: testGetVersioned},
		{name: "GetVersioned of a game without a record is ErrNotFound", test: testGetVersionedMissing},
		{name: "a write of another game does not change a record's revision", test: testRevisionIsPerGame},
		{name: "List of an empty store is an empty slice", test: testListEmpty},
		{name: "List returns every record of any status", test: testListAll},
		{name: "ListByStatus returns the records of that status and no other", test: testListByStatus},
		{name: "ListByStatus of a status without records is an empty slice", test: testListByStatusEmpty},
		{name: "ListByStatus reflects a transition", test: testListByStatusFollowsTransition},
		{name: "ListByStatus reflects an upsert", test: testListByStatusFollowsUpsert},
		{name: "ListByStatus of an unknown status is ErrInvalid", test: testListByUnknownStatus},
		{name: "List returns more records than one request to a store contains", test: testListMany},
		{name: "returned records share no memory with the store", test: testReadsShareNothing},
		{name: "listed records share no memory with the store", test: testListsShareNothing},
	}
}

func testGetMissing(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("other"))
	found, err := s.Get(t.Context(), "missing")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.Zero(t, found, "the record returned with an error is zero")
}

func testGetWritten(t *testing.T, _ Harness, s Store) {
	for _, status := range runtime.Statuses() {
		want := NewRecord(string(status), status)
		require.NoError(t, s.Upsert(t.Context(), want))
		got, err := s.Get(t.Context(), want.GameID)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func testGetVersioned(t *testing.T, _ Harness, s Store) {
	record := putRecord(t, s, RunningRecord("a"))
	read, err := s.GetVersioned(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, record, read)

	stoppedVersion := applyTransition(t, s, stopInput("a", 5))
	require.Greater(t, stoppedVersion.Revision, record.Revision)
	read, err = s.GetVersioned(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, stoppedVersion, read)
}

func testGetVersionedMissing(t *testing.T, _ Harness, s Store) {
	found, err := s.GetVersioned(t.Context(), "missing")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.Zero(t, found)
}

func testRevisionIsPerGame(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	second := putRecord(t, s, RunningRecord("b"))
	require.Greater(t, second.Revision, first.Revision)
	require.Equal(t, first, readState(t, s, "a").VersionedRecord)
}

func testListEmpty(t *testing.T, _ Harness, s Store) {
	records, err := s.List(t.Context())
	require.NoError(t, err)
	require.NotNil(t, records)
	require.Empty(t, records)
}

func testListAll(t *testing.T, _ Harness, s Store) {
	want := []runtime.RuntimeRecord{RunningRecord("a"), StoppedRecord("b"), removedRecord("c"), RunningRecord("d")}
	for _, r := range want {
		putRecord(t, s, r)
	}
	got, err := s.List(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, want, got)
}

func testListByStatus(t *testing.T, _ Harness, s Store) {
	want := map[runtime.Status][]runtime.RuntimeRecord{
		runtime.StatusRunning: {RunningRecord("a"), RunningRecord("d")},
		runtime.StatusStopped: {StoppedRecord("b")},
		runtime.StatusRemoved: {removedRecord("c"), removedRecord("e"), removedRecord("f")},
	}
	for _, records := range want {
		for _, r := range records {
			putRecord(t, s, r)
		}
	}
	for status, records := range want {
		got, err := s.ListByStatus(t.Context(), status)
		require.NoError(t, err)
		require.ElementsMatch(t, records, got, "status %s", status)
	}
}

func testListByStatusEmpty(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	got, err := s.ListByStatus(t.Context(), runtime.StatusRemoved)
	require.NoError(t, err)
	require.NotNil(t, got)
	require.Empty(t, got)
}

func testListByStatusFollowsTransition(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	require.NoError(t, s.UpdateStatus(t.Context(), stopInput("a", 5)))
	requireListedUnder(t, s, "a", runtime.StatusStopped)
	require.NoError(t, s.UpdateStatus(t.Context(), resumeInput("a", 6)))
	requireListedUnder(t, s, "a", runtime.StatusRunning)
	require.NoError(t, s.UpdateStatus(t.Context(), TransitionInput("a", runtime.StatusRunning, runtime.StatusRemoved, 7)))
	requireListedUnder(t, s, "a", runtime.StatusRemoved)
}

func testListByStatusFollowsUpsert(t *testing.T, _ Harness, s Store) {
	for _, status := range []runtime.Status{runtime.StatusRemoved, runtime.StatusRunning, runtime.StatusStopped, runtime.StatusRemoved} {
		putRecord(t, s, NewRecord("a", status))
		requireListedUnder(t, s, "a", status)
	}
}

// requireListedUnder fails unless the game is listed once, and under the status.
func requireListedUnder(t *testing.T, s Store, gameID string, status runtime.Status) {
	t.Helper()
	for _, other := range runtime.Statuses() {
		want := []string{}
		if other == status {
			want = append(want, gameID)
		}
		got, err := s.ListByStatus(t.Context(), other)
		require.NoError(t, err)
		require.Equal(t, want, gameIDs(got), "listed under %s", other)
	}
}

func testListByUnknownStatus(t *testing.T, _ Harness, s Store) {
	for _, status := range []runtime.Status{"", "Running", "running ", "paused"} {
		got, err := s.ListByStatus(t.Context(), status)
		require.ErrorIs(t, err, runtime.ErrInvalid, "status %q", status)
		require.Empty(t, got)
	}
}

func testListMany(t *testing.T, _ Harness, s Store) {
	const games = 300
	for n := range games {
		r := RunningRecord(GameName(n))
		r.Generation = int64(n)
		require.NoError(t, s.Upsert(t.Context(), r))
	}
	got, err := s.List(t.Context())
	require.NoError(t, err)
	require.Len(t, got, games)
	found := ByGameID(got)
	for n := range games {
		require.Equal(t, int64(n), found[GameName(n)].Generation)
	}
}

func testReadsShareNothing(t *testing.T, _ Harness, s Store) {
	want := StoppedRecord("a")
	record := putRecord(t, s, StoppedRecord("a"))
	mutate(&record.Record)
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, want, got, "after the record that Put returned was changed")

	mutate(&got)
	versioned, err := s.GetVersioned(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, want, versioned.Record, "after the record that Get returned was changed")

	mutate(&versioned.Record)
	require.Equal(t, want, readState(t, s, "a").Record, "after the record that GetVersioned returned was changed")
}

func testListsShareNothing(t *testing.T, _ Harness, s Store) {
	want := StoppedRecord("a")
	want.Labels = map[string]string{"env": "prod"}
	want.Ports = []runtime.Port{{Name: "game", Protocol: "udp", Host: "10.0.0.1", Port: 7777}}
	want.NodeLostAt = timePtrAt(4)
	putRecord(t, s, want)
	for range 2 {
		all, err := s.List(t.Context())
		require.NoError(t, err)
		require.Equal(t, []runtime.RuntimeRecord{want}, all)
		mutate(&all[0])

		byStatus, err := s.ListByStatus(t.Context(), runtime.StatusStopped)
		require.NoError(t, err)
		require.Equal(t, []runtime.RuntimeRecord{want}, byStatus)
		mutate(&byStatus[0])

		page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 10})
		require.NoError(t, err)
		require.Equal(t, want, page.Records[0].Record)
		mutate(&page.Records[0].Record)
	}
}

// mutate overwrites the record and the times that it points to.
func mutate(r *runtime.RuntimeRecord) {
	r.GameID, r.Region = "mutated", "mutated"
	for _, at := range []*time.Time{r.StartedAt, r.StoppedAt, r.RemovedAt, r.HealthSince, r.NodeLostAt} {
		if at != nil {
			*at = TimeAt(999)
		}
	}
	for key := range r.Labels {
		r.Labels[key] = "mutated"
	}
	for i := range r.Ports {
		r.Ports[i].Host = "mutated"
	}
	if r.Operation != nil {
		r.Operation.ID = "mutated"
	}
}
