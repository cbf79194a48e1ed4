package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func scanTests() []contractTest {
	return []contractTest{
		{name: "a scan of an empty store yields nothing", test: testScanEmpty},
		{name: "a scan yields the records that the pages of a list contain", test: testScanEqualsPages},
		{name: "a scan has the effects of every acknowledged write", test: testScanFresh},
		{name: "a scan of a minimum revision has the writes up to it", test: testScanMinRevision},
		{name: "a scan ends when its consumer stops", test: testScanStops},
		{name: "a scan of an invalid filter yields ErrInvalid", test: testScanInvalid},
		{name: "all records of a scan are of one revision during writes", test: testScanRevision},
		{name: "the consumer of a scan can write to the store", test: testScanWrites},
		{name: "a record of a scan never changes", test: testScanImmutable},
		{name: "a snapshot has the pages of a list at its revision", test: testSnapshotPages},
		{name: "the contents of two snapshots differ after a change of a record", test: testSnapshotContents},
		{name: "a snapshot of a revision that the store has not reached is ErrForeignRevision", test: testSnapshotFuture},
	}
}

// scan returns copies of the records of a scan.
func scan(t *testing.T, s Store, query ports.ScanQuery) []runtime.VersionedRecord {
	t.Helper()
	query.OnCorrupt = func(corrupt *runtime.CorruptError) { require.NoError(t, corrupt) }
	var records []runtime.VersionedRecord
	for record, err := range ports.ScanRecords(t.Context(), s, query) {
		require.NoError(t, err)
		records = append(records, record.Clone())
	}
	return records
}

func testScanEmpty(t *testing.T, _ Harness, s Store) {
	require.Empty(t, scan(t, s, ports.ScanQuery{}))
	require.Empty(t, scan(t, s, ports.ScanQuery{Local: true}))
}

// variedFilters select some of putVariedGames.
func variedFilters() []ports.RecordFilter {
	return []ports.RecordFilter{
		{}, ports.FilterByStatus(runtime.StatusStopped), {Regions: []string{"eu"}}, {Nodes: []string{"node-0", "node-2"}}, {GamePrefix: GameName(1)},
		{Images: []string{"chess:*"}}, {Ready: new(true)}, {Labels: selector("mode,env!=dev")}, {Regions: []string{"none"}},
	}
}

func testScanEqualsPages(t *testing.T, _ Harness, s Store) {
	putVariedGames(t, s, 40)
	for _, filter := range variedFilters() {
		want, _ := listAllPages(t, s, ports.PageQuery{RecordFilter: filter, Limit: 7})
		require.Equal(t, want, scan(t, s, ports.ScanQuery{RecordFilter: filter}), "%+v", filter)
	}
}

func testScanFresh(t *testing.T, _ Harness, s Store) {
	for n := range 20 {
		want := putRecord(t, s, RunningRecord(GameName(n)))
		got := scan(t, s, ports.ScanQuery{})
		require.Len(t, got, n+1)
		require.Contains(t, got, want)
	}
}

func testScanMinRevision(t *testing.T, _ Harness, s Store) {
	for n := range 20 {
		want := putRecord(t, s, RunningRecord(GameName(n)))
		got := scan(t, s, ports.ScanQuery{MinRevision: want.Revision})
		require.Len(t, got, n+1)
		require.Contains(t, got, want)
	}
}

func testScanStops(t *testing.T, _ Harness, s Store) {
	putVariedGames(t, s, 5)
	seen := 0
	for _, err := range ports.ScanRecords(t.Context(), s, ports.ScanQuery{}) {
		require.NoError(t, err)
		if seen++; seen == 2 {
			break
		}
	}
	require.Equal(t, 2, seen)
}

func testScanInvalid(t *testing.T, _ Harness, s Store) {
	for record, err := range ports.ScanRecords(t.Context(), s, ports.ScanQuery{RecordFilter: ports.RecordFilter{Regions: []string{""}}}) {
		RequireInvalid(t, err, "region")
		require.Zero(t, record)
	}
}

func testScanRevision(t *testing.T, _ Harness, s Store) {
	write := func(gameID string, generation int64) error {
		r := RunningRecord(gameID)
		r.Generation = generation
		return s.Upsert(t.Context(), r)
	}
	require.NoError(t, errors.Join(write("a", 0), write("z", 0)))
	errs := RunConcurrently(3, func(n int) error {
		for i := range 30 {
			if n == 0 {
				if err := errors.Join(write("a", int64(i)), write("z", int64(i))); err != nil {
					return err
				}
				continue
			}
			// a is written before z, so at any revision a is at most one higher
			generations := map[string]int64{}
			for record, err := range ports.ScanRecords(t.Context(), s, ports.ScanQuery{}) {
				if err != nil {
					return err
				}
				generations[record.Record.GameID] = record.Record.Generation
			}
			if lead := generations["a"] - generations["z"]; len(generations) != 2 || lead < 0 || lead > 1 {
				return fmt.Errorf("the scan has generations %v", generations)
			}
		}
		return nil
	})
	require.NoError(t, errors.Join(errs...))
}

func testScanWrites(t *testing.T, _ Harness, s Store) {
	want := putVariedGames(t, s, 6)
	var got []runtime.VersionedRecord
	for record, err := range ports.ScanRecords(t.Context(), s, ports.ScanQuery{}) {
		require.NoError(t, err)
		got = append(got, record.Clone())
		putRecord(t, s, removedRecord(record.Record.GameID))
		putRecord(t, s, RunningRecord(record.Record.GameID+"-inserted"))
	}
	require.Equal(t, want, got)
}

// testScanImmutable keeps the shared records of scans, reads them while other goroutines write the
// games, and compares them with what they were. The race detector reports a store that changes them.
func testScanImmutable(t *testing.T, _ Harness, s Store) {
	putVariedGames(t, s, 10)
	errs := RunConcurrently(4, func(n int) error {
		for i := range 10 {
			if n < 2 {
				record := RunningRecord(GameName(i))
				record.Generation = int64(n)
				record.Labels = map[string]string{"writer": fmt.Sprint(n)}
				if err := s.Upsert(t.Context(), record); err != nil {
					return err
				}
				continue
			}
			if err := compareKept(t, s); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, errors.Join(errs...))
}

// compareKept keeps the records of one scan during another one, and returns an error if they have changed.
func compareKept(t *testing.T, s Store) error {
	var kept []ports.SharedRecord
	var copies []runtime.VersionedRecord
	for record, err := range ports.ScanRecords(t.Context(), s, ports.ScanQuery{}) {
		if err != nil {
			return err
		}
		kept, copies = append(kept, record), append(copies, record.Clone())
	}
	for _, err := range ports.ScanRecords(t.Context(), s, ports.ScanQuery{}) {
		if err != nil {
			return err
		}
	}
	for i, record := range kept {
		if record.Revision != copies[i].Revision || !record.Record.Equal(copies[i].Record) {
			return fmt.Errorf("the record of a scan has changed from %+v to %+v", copies[i], record.Clone())
		}
	}
	return nil
}

// readSnapshot returns a snapshot, nil if the store has none.
func readSnapshot(t *testing.T, s Store, query ports.PageQuery) ports.RecordSnapshot {
	t.Helper()
	reader, ok := s.(ports.SnapshotReader)
	if !ok {
		return nil
	}
	snapshot, err := reader.ReadSnapshot(t.Context(), query)
	require.NoError(t, err)
	return snapshot
}

func testSnapshotPages(t *testing.T, _ Harness, s Store) {
	putVariedGames(t, s, 30)
	snapshot := readSnapshot(t, s, ports.PageQuery{})
	if snapshot == nil {
		return
	}
	var queries []ports.PageQuery
	for _, filter := range variedFilters() {
		for _, order := range []ports.RecordOrder{{}, {Field: "node", Descending: true}} {
			queries = append(queries, ports.PageQuery{RecordFilter: filter, Order: order, Limit: 4})
		}
	}
	want := make([][]runtime.VersionedRecord, len(queries))
	for i, query := range queries {
		query.Revision = snapshot.Revision()
		want[i], _ = listAllPages(t, s, query)
	}
	for n := range 30 {
		putRecord(t, s, removedRecord(GameName(n)))
	}
	for i, query := range queries {
		require.Equal(t, want[i], pagesOf(t, snapshot, query), "%+v", query)
	}
	snapshot.Retain()
	if at := readSnapshot(t, s, ports.PageQuery{Revision: snapshot.Revision()}); at != nil {
		require.Equal(t, want[0], pagesOf(t, at, queries[0]))
	}
}

// pagesOf returns copies of the records of all pages of the query.
func pagesOf(t *testing.T, snapshot ports.RecordSnapshot, query ports.PageQuery) []runtime.VersionedRecord {
	t.Helper()
	var records []runtime.VersionedRecord
	for {
		page, err := snapshot.Page(query)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Records), query.Limit)
		for _, record := range page.Records {
			records = append(records, record.Clone())
		}
		if query.After = page.Next; page.Next == "" {
			return records
		}
	}
}

func testSnapshotContents(t *testing.T, _ Harness, s Store) {
	putVariedGames(t, s, 3)
	var contents []any
	for n := range 4 {
		if snapshot := readSnapshot(t, s, ports.PageQuery{}); snapshot != nil {
			require.False(t, slices.Contains(contents, snapshot.Contents()))
			contents = append(contents, snapshot.Contents())
		}
		applyTransition(t, s, TransitionInput(GameName(0), runtime.Statuses()[n%2], runtime.Statuses()[1-n%2], n))
	}
}

func testSnapshotFuture(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	reader, ok := s.(ports.SnapshotReader)
	if !ok {
		return
	}
	snapshot, err := reader.ReadSnapshot(t.Context(), ports.PageQuery{Revision: futureRevision(t, s)})
	if err != nil {
		require.ErrorIs(t, err, runtime.ErrForeignRevision)
	}
	require.Nil(t, snapshot)
}
