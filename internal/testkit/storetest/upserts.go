package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func upsertTests(h Harness) []contractTest {
	tests := []contractTest{
		{name: "Upsert inserts", test: testUpsertInserts},
		{name: "Upsert overwrites every field", test: testUpsertOverwrites},
		{name: "Upsert never conflicts, from any status to any other", test: testUpsertNeverConflicts},
		{name: "Upsert restores a removed game", test: testUpsertRestoresRemovedGame},
		{name: "a second identical Upsert is another write", test: testUpsertTwice},
		{name: "timestamps keep their nanoseconds", test: testUpsertNanoseconds},
		{name: "timestamps are returned in UTC", test: testUpsertUTC},
		{name: "the years 0 and 9999 can be stored", test: testUpsertExtremeYears},
		{name: "any text is returned byte for byte", test: testUpsertText},
		{name: "the largest generation is kept", test: testUpsertGeneration},
		{name: "a record close to the size limit is kept", test: testUpsertLarge},
		{name: "a passed record shares no memory with the store", test: testUpsertSharesNothing},
	}
	if !h.RejectsInvalidRecords {
		tests = append(tests,
			contractTest{name: "zero and nil fields are kept", test: testUpsertZeroFields},
			contractTest{name: "a record that contradicts its status is stored verbatim", test: testUpsertContradiction},
		)
	}
	return tests
}

// requireRoundTrip upserts the record and fails unless Get returns an equal one.
func requireRoundTrip(t *testing.T, s Store, want runtime.RuntimeRecord) {
	t.Helper()
	require.NoError(t, s.Upsert(t.Context(), want.Clone()), "upsert")
	got, err := s.Get(t.Context(), want.GameID)
	require.NoError(t, err, "get")
	require.Equal(t, want, got)
}

func testUpsertInserts(t *testing.T, _ Harness, s Store) {
	requireRoundTrip(t, s, RunningRecord("a"))
	got, err := s.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, gameIDs(got))
}

func testUpsertOverwrites(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, removedRecord("a"))
	requireRoundTrip(t, s, runtime.RuntimeRecord{
		GameID:             "a",
		Status:             runtime.StatusRunning,
		CurrentContainerID: "container-2",
		Generation:         1,
		CreatedAt:          TimeAt(10),
		LastOpAt:           TimeAt(11),
		StartedAt:          timePtrAt(11),
	})
}

func testUpsertNeverConflicts(t *testing.T, _ Harness, s Store) {
	for _, from := range runtime.Statuses() {
		for _, to := range runtime.Statuses() {
			putRecord(t, s, NewRecord("a", from))
			requireRoundTrip(t, s, NewRecord("a", to))
		}
	}
}

func testUpsertRestoresRemovedGame(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, removedRecord("a"))
	fresh := RunningRecord("a")
	fresh.CurrentContainerID, fresh.Generation = "container-2", 4
	requireRoundTrip(t, s, fresh)
	applyTransition(t, s, stopInput("a", 20))
}

func testUpsertTwice(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	require.NoError(t, s.Upsert(t.Context(), RunningRecord("a")))
	after := readState(t, s, "a")
	require.Greater(t, after.Revision, first.Revision)
	require.Equal(t, first.Record, after.Record)
	require.Len(t, after.history, 2)
}

func testUpsertNanoseconds(t *testing.T, _ Harness, s Store) {
	for _, nanos := range []int{0, 1, 10, 999_999_999, 120_000_000} {
		r := StoppedRecord("a")
		r.CreatedAt = time.Date(2026, 3, 1, 0, 0, 0, nanos, time.UTC)
		r.LastOpAt = r.CreatedAt.Add(time.Nanosecond)
		*r.StoppedAt = r.CreatedAt.Add(2 * time.Nanosecond)
		requireRoundTrip(t, s, r)
	}
}

func testUpsertUTC(t *testing.T, _ Harness, s Store) {
	zone := time.FixedZone("UTC+5:30", 5*3600+1800)
	want := StoppedRecord("a")
	local := want.Clone()
	local.CreatedAt, local.LastOpAt = want.CreatedAt.In(zone), want.LastOpAt.In(zone)
	*local.StartedAt, *local.StoppedAt = want.StartedAt.In(zone), want.StoppedAt.In(zone)
	record := putRecord(t, s, local)
	require.Equal(t, want, record.Record, "as Put returns it")
	read, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, want, read, "as Get returns it")
}

func testUpsertExtremeYears(t *testing.T, _ Harness, s Store) {
	r := RunningRecord("a")
	r.CreatedAt = time.Date(0, time.January, 1, 0, 0, 0, 0, time.UTC)
	*r.StartedAt = time.Date(9999, time.December, 31, 23, 59, 59, 999_999_999, time.UTC)
	requireRoundTrip(t, s, r)
}

func testUpsertText(t *testing.T, _ Harness, s Store) {
	for _, text := range []string{"", " ", "naïve 🎲 \u2028\u2029", `<a href="x">&amp;'\n`, "tab\tand\nnewline\x00\x7f", "cafe\u0301", "\ufeff\ufffd"} {
		r := RunningRecord("a")
		r.Region, r.Node, r.CurrentImageRef, r.EngineEndpoint, r.StatePath, r.DockerNetwork = text, text, text, text, text, text
		r.CurrentContainerID = "c" + text
		requireRoundTrip(t, s, r)
	}
}

func testUpsertGeneration(t *testing.T, _ Harness, s Store) {
	r := RunningRecord("a")
	r.Generation = 1<<63 - 1
	requireRoundTrip(t, s, r)
}

func testUpsertLarge(t *testing.T, _ Harness, s Store) {
	r := RunningRecord("a")
	r.StatePath = strings.Repeat("p", ports.MaxRecordBytes-2048)
	requireRoundTrip(t, s, r)
	applyTransition(t, s, stopInput("a", 5))
}

func testUpsertSharesNothing(t *testing.T, _ Harness, s Store) {
	passed := StoppedRecord("a")
	require.NoError(t, s.Upsert(t.Context(), passed))
	mutate(&passed)
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, StoppedRecord("a"), got)
}

func testUpsertZeroFields(t *testing.T, _ Harness, s Store) {
	for _, status := range runtime.Statuses() {
		requireRoundTrip(t, s, runtime.RuntimeRecord{GameID: "a", Status: status})
		requireRoundTrip(t, s, runtime.RuntimeRecord{GameID: "b", Status: status, StoppedAt: &time.Time{}})
	}
}

func testUpsertContradiction(t *testing.T, _ Harness, s Store) {
	r := RunningRecord("a")
	r.RemovedAt, r.CurrentContainerID, r.Generation = timePtrAt(9), "", -1
	requireRoundTrip(t, s, r)
	r.Status, r.CurrentContainerID = runtime.StatusRemoved, "container-9"
	requireRoundTrip(t, s, r)
}
