package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func upsertBehaviours(h Harness) []behaviour {
	behaviours := []behaviour{
		{name: "Upsert inserts", test: upsertInserts},
		{name: "Upsert overwrites every field", test: upsertOverwrites},
		{name: "Upsert never conflicts whatever the status was", test: upsertNeverConflicts},
		{name: "Upsert brings a removed game back", test: upsertRevives},
		{name: "a second identical Upsert is another write", test: upsertTwice},
		{name: "instants keep their nanoseconds", test: upsertNanoseconds},
		{name: "instants come back in UTC", test: upsertUTC},
		{name: "the years 0 and 9999 can be stored", test: upsertExtremeYears},
		{name: "any text comes back byte for byte", test: upsertText},
		{name: "the largest generation comes back", test: upsertGeneration},
		{name: "a record close to the limit comes back", test: upsertLarge},
		{name: "a passed record shares no memory with the store", test: upsertSharesNothing},
	}
	if !h.RefusesInvalidRecords {
		behaviours = append(behaviours,
			behaviour{name: "zero and nil fields come back as they are", test: upsertZeroFields},
			behaviour{name: "a record that contradicts its status is stored verbatim", test: upsertContradiction},
		)
	}
	return behaviours
}

// requireRoundTrip upserts the record and fails unless it comes back equal.
func requireRoundTrip(t *testing.T, s ports.Store, want runtime.RuntimeRecord) {
	t.Helper()
	require.NoError(t, s.Upsert(t.Context(), want.Clone()), "upsert")
	got, err := s.Get(t.Context(), want.GameID)
	require.NoError(t, err, "get")
	require.Equal(t, want, got)
}

func upsertInserts(t *testing.T, _ Harness, s ports.Store) {
	requireRoundTrip(t, s, running("a"))
	got, err := s.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, ids(got))
}

func upsertOverwrites(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, removed("a"))
	requireRoundTrip(t, s, runtime.RuntimeRecord{
		GameID:             "a",
		Status:             runtime.StatusRunning,
		CurrentContainerID: "container-2",
		Generation:         1,
		CreatedAt:          instant(10),
		LastOpAt:           instant(11),
		StartedAt:          instantPtr(11),
	})
}

func upsertNeverConflicts(t *testing.T, _ Harness, s ports.Store) {
	for _, from := range runtime.Statuses() {
		for _, to := range runtime.Statuses() {
			put(t, s, record("a", from))
			requireRoundTrip(t, s, record("a", to))
		}
	}
}

func upsertRevives(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, removed("a"))
	fresh := running("a")
	fresh.CurrentContainerID, fresh.Generation = "container-2", 4
	requireRoundTrip(t, s, fresh)
	transition(t, s, stop("a", 20))
}

func upsertTwice(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	require.NoError(t, s.Upsert(t.Context(), running("a")))
	after := stateOf(t, s, "a")
	require.Greater(t, after.Revision, first.Revision)
	require.Equal(t, first.Record, after.Record)
	require.Len(t, after.history, 2)
}

func upsertNanoseconds(t *testing.T, _ Harness, s ports.Store) {
	for _, nanos := range []int{0, 1, 10, 999_999_999, 120_000_000} {
		r := stopped("a")
		r.CreatedAt = time.Date(2026, 3, 1, 0, 0, 0, nanos, time.UTC)
		r.LastOpAt = r.CreatedAt.Add(time.Nanosecond)
		*r.StoppedAt = r.CreatedAt.Add(2 * time.Nanosecond)
		requireRoundTrip(t, s, r)
	}
}

func upsertUTC(t *testing.T, _ Harness, s ports.Store) {
	zone := time.FixedZone("UTC+5:30", 5*3600+1800)
	want := stopped("a")
	local := want.Clone()
	local.CreatedAt, local.LastOpAt = want.CreatedAt.In(zone), want.LastOpAt.In(zone)
	*local.StartedAt, *local.StoppedAt = want.StartedAt.In(zone), want.StoppedAt.In(zone)
	written := put(t, s, local)
	require.Equal(t, want, written.Record, "as Put returns it")
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, want, got, "as Get returns it")
}

func upsertExtremeYears(t *testing.T, _ Harness, s ports.Store) {
	r := running("a")
	r.CreatedAt = time.Date(0, time.January, 1, 0, 0, 0, 0, time.UTC)
	*r.StartedAt = time.Date(9999, time.December, 31, 23, 59, 59, 999_999_999, time.UTC)
	requireRoundTrip(t, s, r)
}

func upsertText(t *testing.T, _ Harness, s ports.Store) {
	for _, text := range []string{"", " ", "naïve 🎲 \u2028\u2029", `<a href="x">&amp;'\n`, "tab\tand\nnewline\x00\x7f", "cafe\u0301", "\ufeff\ufffd"} {
		r := running("a")
		r.Region, r.Node, r.CurrentImageRef, r.EngineEndpoint, r.StatePath, r.DockerNetwork = text, text, text, text, text, text
		r.CurrentContainerID = "c" + text
		requireRoundTrip(t, s, r)
	}
}

func upsertGeneration(t *testing.T, _ Harness, s ports.Store) {
	r := running("a")
	r.Generation = 1<<63 - 1
	requireRoundTrip(t, s, r)
}

func upsertLarge(t *testing.T, _ Harness, s ports.Store) {
	r := running("a")
	r.StatePath = strings.Repeat("p", ports.MaxRecordBytes-2048)
	requireRoundTrip(t, s, r)
	transition(t, s, stop("a", 5))
}

func upsertSharesNothing(t *testing.T, _ Harness, s ports.Store) {
	passed := stopped("a")
	require.NoError(t, s.Upsert(t.Context(), passed))
	scribble(&passed)
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, stopped("a"), got)
}

func upsertZeroFields(t *testing.T, _ Harness, s ports.Store) {
	for _, status := range runtime.Statuses() {
		requireRoundTrip(t, s, runtime.RuntimeRecord{GameID: "a", Status: status})
		requireRoundTrip(t, s, runtime.RuntimeRecord{GameID: "b", Status: status, StoppedAt: &time.Time{}})
	}
}

func upsertContradiction(t *testing.T, _ Harness, s ports.Store) {
	r := running("a")
	r.RemovedAt, r.CurrentContainerID, r.Generation = instantPtr(9), "", -1
	requireRoundTrip(t, s, r)
	r.Status, r.CurrentContainerID = runtime.StatusRemoved, "container-9"
	requireRoundTrip(t, s, r)
}
