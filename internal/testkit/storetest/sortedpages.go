package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// putSortableGames writes games that have equal and different values of every field.
func putSortableGames(t *testing.T, s Store, n int) []runtime.VersionedRecord {
	t.Helper()
	records := putVariedGames(t, s, n)
	for i := range records {
		record := records[i].Record
		record.Restarts, record.Generation = int64(i*7%4), int64(i*5%3)
		record.CreatedAt = record.CreatedAt.Add(time.Duration(i*11%6) * time.Hour)
		if record.Health != "" {
			since := record.CreatedAt.Add(time.Duration(i%4) * time.Minute)
			record.HealthSince = &since
		}
		records[i] = putRecord(t, s, record)
	}
	return records
}

// sorted returns the records in the order.
func sorted(records []runtime.VersionedRecord, order ports.RecordOrder) []runtime.VersionedRecord {
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b runtime.VersionedRecord) int { return order.Compare(&a.Record, &b.Record) })
	return records
}

func testPageSorted(t *testing.T, _ Harness, s Store) {
	records := putSortableGames(t, s, 30)
	for _, field := range ports.SortFields() {
		for _, isDescending := range []bool{false, true} {
			order := ports.RecordOrder{Field: field, Descending: isDescending}
			for _, limit := range []int{4, 11, 30} {
				got, _ := listAllPages(t, s, ports.PageQuery{Order: order, Limit: limit})
				require.Equal(t, sorted(records, order), got, "%s, limit %d", order, limit)
			}
		}
	}
}

func testPageSortedFiltered(t *testing.T, _ Harness, s Store) {
	records := putSortableGames(t, s, 30)
	order := ports.RecordOrder{Field: "created_at", Descending: true}
	want := slices.DeleteFunc(sorted(records, order), func(v runtime.VersionedRecord) bool {
		return v.Record.Status == runtime.StatusRemoved || v.Record.Region != "eu"
	})
	query := ports.PageQuery{Order: order, Limit: 3, RecordFilter: ports.RecordFilter{
		Statuses: []runtime.Status{runtime.StatusRunning, runtime.StatusStopped}, Regions: []string{"eu"},
	}}
	got, _ := listAllPages(t, s, query)
	require.Equal(t, want, got)
	query.Statuses, query.Regions = []runtime.Status{runtime.StatusStopped}, nil
	got, _ = listAllPages(t, s, query)
	require.Equal(t, slices.DeleteFunc(sorted(records, order), func(v runtime.VersionedRecord) bool { return v.Record.Status != runtime.StatusStopped }), got)
}

func testPageSortedPinned(t *testing.T, _ Harness, s Store) {
	order := ports.RecordOrder{Field: "restarts", Descending: true}
	want := sorted(putSortableGames(t, s, 9), order)
	query := ports.PageQuery{Order: order, Limit: 2}
	first, err := s.ListPage(t.Context(), query)
	require.NoError(t, err)
	got := slices.Clone(first.Records)
	for next, n := first.Next, 0; next != ""; n++ {
		changed := want[n].Record
		changed.Restarts = int64(n + 10)
		putRecord(t, s, changed)
		putRecord(t, s, RunningRecord(GameName(n)+"-inserted"))
		page, err := s.ListPage(t.Context(), ports.PageQuery{Order: order, Limit: 2, Revision: first.Revision, After: next})
		require.NoError(t, err)
		require.Equal(t, first.Revision, page.Revision)
		got, next = append(got, page.Records...), page.Next
	}
	require.Equal(t, want, got)
}

func testPageSortedForeignPosition(t *testing.T, _ Harness, s Store) {
	game := putRecord(t, s, RunningRecord(GameName(0)))
	_, err := s.ListPage(t.Context(), ports.PageQuery{Order: ports.RecordOrder{Field: "node"}, Limit: 1, Revision: game.Revision, After: "no-game"})
	require.ErrorIs(t, err, runtime.ErrInvalid)
}
