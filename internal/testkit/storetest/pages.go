package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/labelselector"
	"galaxy/rtmanager/internal/ports"
)

func pageTests() []contractTest {
	return []contractTest{
		{name: "a page of an empty store is empty and the last", test: testPageEmpty},
		{name: "pages of one record return every record once, ordered by key", test: testPagesOfOne},
		{name: "pages of any size return the same list", test: testPageSizes},
		{name: "a page whose limit is the number of records contains all of them", test: testPageExact},
		{name: "the largest limit is allowed", test: testPageLargest},
		{name: "records in a page carry the revision of their last change", test: testPageRevisions},
		{name: "a page filters by status", test: testPageFilter(ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusStopped}}, func(r runtime.RuntimeRecord) bool { return r.Status == runtime.StatusStopped })},
		{name: "a page filters by region", test: testPageFilter(ports.RecordFilter{Regions: []string{"eu"}}, func(r runtime.RuntimeRecord) bool { return r.Region == "eu" })},
		{name: "a page filters by node", test: testPageFilter(ports.RecordFilter{Nodes: []string{"node-2"}}, func(r runtime.RuntimeRecord) bool { return r.Node == "node-2" })},
		{name: "a page filters by image", test: testPageFilter(ports.RecordFilter{Images: []string{"go:1", "chess:*"}}, func(r runtime.RuntimeRecord) bool {
			return r.CurrentImageRef == "go:1" || strings.HasPrefix(r.CurrentImageRef, "chess:")
		})},
		{name: "a page filters by health", test: testPageFilter(ports.RecordFilter{Healths: []runtime.Health{runtime.HealthUnhealthy, runtime.HealthNone}}, func(r runtime.RuntimeRecord) bool {
			return r.Health == runtime.HealthUnhealthy || r.Health == runtime.HealthNone
		})},
		{name: "a page filters by ready", test: testPageFilter(ports.RecordFilter{Ready: new(true)}, func(r runtime.RuntimeRecord) bool { return r.Ready })},
		{name: "a page filters by not ready", test: testPageFilter(ports.RecordFilter{Ready: new(false)}, func(r runtime.RuntimeRecord) bool { return !r.Ready })},
		{name: "a page filters by the start of the game id", test: testPageFilter(ports.RecordFilter{GamePrefix: GameName(10)[:len(GameName(10))-1]}, func(r runtime.RuntimeRecord) bool {
			return strings.HasPrefix(r.GameID, GameName(10)[:len(GameName(10))-1])
		})},
		{name: "the values of one filter are a union", test: testPageFilter(ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusStopped, runtime.StatusRunning}, Nodes: []string{"node-2", "node-0", "none"}}, func(r runtime.RuntimeRecord) bool {
			return r.Status != runtime.StatusRemoved && r.Node != "node-1"
		})},
		{name: "a page applies all its filters", test: testPageFilter(ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}, Regions: []string{"us"}, Nodes: []string{"node-1"}, Labels: selector("env=prod")}, func(r runtime.RuntimeRecord) bool {
			return r.Status == runtime.StatusRunning && r.Region == "us" && r.Node == "node-1"
		})},
		{name: "a page filters by a label", test: testPageFilter(ports.RecordFilter{Labels: selector("env=prod")}, func(r runtime.RuntimeRecord) bool { return r.Labels["env"] == "prod" })},
		{name: "a page filters by several values of a label", test: testPageFilter(ports.RecordFilter{Labels: selector("env in (dev,prod,none)")}, func(r runtime.RuntimeRecord) bool { return r.Labels["env"] != "test" })},
		{name: "a page filters by the presence of a label", test: testPageFilter(ports.RecordFilter{Labels: selector("mode")}, func(r runtime.RuntimeRecord) bool { return r.Labels["mode"] != "" })},
		{name: "a page filters by the absence of labels", test: testPageFilter(ports.RecordFilter{Labels: selector("!mode,env!=dev,env notin (test)")}, func(r runtime.RuntimeRecord) bool {
			return r.Labels["mode"] == "" && r.Labels["env"] == "prod"
		})},
		{name: "a sorted list is in the order of the field, and of game ids for equal fields", test: testPageSorted},
		{name: "a sorted list contains the records that match its filters", test: testPageSortedFiltered},
		{name: "all pages of a sorted list have the first page's revision during writes", test: testPageSortedPinned},
		{name: "an unknown field to sort by is ErrInvalid", test: testPageInvalid("sort", ports.PageQuery{Limit: 1, Order: ports.RecordOrder{Field: "color"}})},
		{name: "a position that no page of a sorted list has returned is ErrInvalid", test: testPageSortedForeignPosition},
		{name: "a filter without a match returns an empty list", test: testPageFilterNothing},
		{name: "all pages of a list have the first page's revision during writes", test: testPagesPinned},
		{name: "a filtered list keeps its revision while statuses change", test: testPagesPinnedFiltered},
		{name: "a list at an earlier revision returns the records of that revision", test: testPageEarlier},
		{name: "a list at revision 0 contains the last acknowledged write", test: testPageFresh},
		{name: "a revision that the store has not reached is ErrForeignRevision", test: testPageFuture},
		{name: "a negative revision is ErrInvalid", test: testPageInvalid("revision", ports.PageQuery{Limit: 1, Revision: -1})},
		{name: "an unknown status is ErrInvalid", test: testPageInvalid("status", ports.PageQuery{Limit: 1, RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{"paused"}}})},
		{name: "an empty region is ErrInvalid", test: testPageInvalid("region", ports.PageQuery{Limit: 1, RecordFilter: ports.RecordFilter{Regions: []string{""}}})},
		{name: "a limit of zero is ErrInvalid", test: testPageInvalid("limit", ports.PageQuery{})},
		{name: "a negative limit is ErrInvalid", test: testPageInvalid("limit", ports.PageQuery{Limit: -1})},
		{name: "a limit above the largest is ErrInvalid", test: testPageInvalid("limit", ports.PageQuery{Limit: ports.MaxPageLimit + 1})},
	}
}

// listAllPages reads all pages of the query. It returns their records and the revision
// of the list.
func listAllPages(t *testing.T, s Store, query ports.PageQuery) (records []runtime.VersionedRecord, revision int64) {
	t.Helper()
	for {
		page, err := s.ListPage(t.Context(), query)
		require.NoError(t, err, "page %+v", query)
		require.LessOrEqual(t, len(page.Records), query.Limit)
		require.Empty(t, page.Corrupt)
		require.Positive(t, page.Revision)
		if query.Revision != 0 {
			require.Equal(t, query.Revision, page.Revision, "the page has the requested revision")
		}
		records = append(records, page.Records...)
		if page.Next == "" {
			return records, page.Revision
		}
		require.NotEqual(t, query.After, page.Next, "Next does not advance")
		query.Revision, query.After = page.Revision, page.Next
	}
}

// putVariedGames writes n games with all statuses, two regions and three nodes.
func putVariedGames(t *testing.T, s Store, n int) []runtime.VersionedRecord {
	t.Helper()
	records := make([]runtime.VersionedRecord, 0, n)
	for i := range n {
		r := NewRecord(GameName(i), runtime.Statuses()[i%3])
		r.Region = []string{"eu", "us"}[i/3%2]
		r.Node = fmt.Sprintf("node-%d", i/6%3)
		r.CurrentImageRef = fmt.Sprintf("%s:%d", []string{"chess", "go"}[i%2], i/2%3)
		r.Labels = map[string]string{"env": []string{"prod", "dev", "test"}[i%3]}
		if i%5 == 0 {
			r.Labels["mode"] = "ranked"
		}
		if r.Status == runtime.StatusRunning {
			r.Health = runtime.Healths()[i/3%4]
		}
		records = append(records, putRecord(t, s, r))
	}
	return records
}

func testPageEmpty(t *testing.T, _ Harness, s Store) {
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Records)
	require.Empty(t, page.Next)
	require.Positive(t, page.Revision)
}

func testPagesOfOne(t *testing.T, _ Harness, s Store) {
	want := putVariedGames(t, s, 7)
	got, _ := listAllPages(t, s, ports.PageQuery{Limit: 1})
	require.Equal(t, want, got)
}

func testPageSizes(t *testing.T, _ Harness, s Store) {
	want := putVariedGames(t, s, 25)
	for _, limit := range []int{2, 3, 7, 24, 26, 100} {
		got, _ := listAllPages(t, s, ports.PageQuery{Limit: limit})
		require.Equal(t, want, got, "limit %d", limit)
	}
}

func testPageExact(t *testing.T, _ Harness, s Store) {
	want := putVariedGames(t, s, 5)
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 5})
	require.NoError(t, err)
	require.Equal(t, want, page.Records)
	got, _ := listAllPages(t, s, ports.PageQuery{Limit: 5})
	require.Equal(t, want, got)
}

func testPageLargest(t *testing.T, _ Harness, s Store) {
	want := putVariedGames(t, s, 3)
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: ports.MaxPageLimit})
	require.NoError(t, err)
	require.Equal(t, want, page.Records)
	require.Empty(t, page.Next)
}

func testPageRevisions(t *testing.T, _ Harness, s Store) {
	putVariedGames(t, s, 3)
	want := applyTransition(t, s, stopInput(GameName(0), 5))
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, want, page.Records[0])
	require.GreaterOrEqual(t, page.Revision, want.Revision)
}

func testPageFilter(filter ports.RecordFilter, isExpected func(runtime.RuntimeRecord) bool) func(*testing.T, Harness, Store) {
	return func(t *testing.T, _ Harness, s Store) {
		var want []runtime.VersionedRecord
		for _, v := range putVariedGames(t, s, 40) {
			if isExpected(v.Record) {
				want = append(want, v)
			}
		}
		require.NotEmpty(t, want)
		for _, limit := range []int{1, 2, len(want), 100} {
			got, _ := listAllPages(t, s, ports.PageQuery{RecordFilter: filter, Limit: limit})
			require.Equal(t, want, got, "limit %d", limit)
		}
	}
}

// selector returns a valid label selector.
func selector(text string) runtime.LabelSelector {
	parsed, err := labelselector.Parse("label_selector", text)
	if err != nil {
		panic(err)
	}
	return parsed
}

func testPageFilterNothing(t *testing.T, _ Harness, s Store) {
	putVariedGames(t, s, 10)
	for _, query := range []ports.PageQuery{{RecordFilter: ports.RecordFilter{Regions: []string{"mars"}}}, {RecordFilter: ports.RecordFilter{Nodes: []string{"node-1x"}}}, {RecordFilter: ports.RecordFilter{Regions: []string{"e"}}}, {RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusStopped}, Nodes: []string{"none"}}}, {RecordFilter: ports.RecordFilter{Labels: selector("env=pro")}}, {RecordFilter: ports.RecordFilter{Labels: selector("env2")}}} {
		query.Limit = 3
		got, _ := listAllPages(t, s, query)
		require.Empty(t, got, "%+v", query)
	}
}

func testPagesPinned(t *testing.T, _ Harness, s Store) {
	want := putVariedGames(t, s, 9)
	query := ports.PageQuery{Limit: 2}
	first, err := s.ListPage(t.Context(), query)
	require.NoError(t, err)
	got := slices.Clone(first.Records)
	for next, n := first.Next, 0; next != ""; n++ {
		putRecord(t, s, removedRecord(GameName(n)))
		putRecord(t, s, RunningRecord(GameName(n)+"-inserted"))
		applyTransition(t, s, TransitionInput(GameName(n)+"-inserted", runtime.StatusRunning, runtime.StatusStopped, n))
		page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 2, Revision: first.Revision, After: next})
		require.NoError(t, err)
		require.Equal(t, first.Revision, page.Revision)
		got = append(got, page.Records...)
		next = page.Next
	}
	require.Equal(t, want, got)
}

func testPagesPinnedFiltered(t *testing.T, _ Harness, s Store) {
	var want []runtime.VersionedRecord
	for n := range 6 {
		want = append(want, putRecord(t, s, RunningRecord(GameName(n))))
	}
	query := ports.PageQuery{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}, Limit: 2}
	first, err := s.ListPage(t.Context(), query)
	require.NoError(t, err)
	for n := range 6 {
		applyTransition(t, s, stopInput(GameName(n), n))
	}
	putRecord(t, s, RunningRecord(GameName(9)))
	query.Revision, query.After = first.Revision, first.Next
	rest, _ := listAllPages(t, s, query)
	require.Equal(t, want, append(first.Records, rest...))
}

func testPageEarlier(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	second := applyTransition(t, s, stopInput("a", 5))
	third := putRecord(t, s, RunningRecord("b"))
	for revision, want := range map[int64][]runtime.VersionedRecord{
		first.Revision:  {first},
		second.Revision: {second},
		third.Revision:  {second, third},
	} {
		got, pageRevision := listAllPages(t, s, ports.PageQuery{Limit: 10, Revision: revision})
		require.Equal(t, want, got)
		require.Equal(t, revision, pageRevision)
	}
}

func testPageFresh(t *testing.T, _ Harness, s Store) {
	for n := range 20 {
		record := putRecord(t, s, RunningRecord(GameName(n)))
		got, revision := listAllPages(t, s, ports.PageQuery{Limit: 100})
		require.Len(t, got, n+1)
		require.GreaterOrEqual(t, revision, record.Revision)
	}
}

func testPageFuture(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 1, Revision: futureRevision(t, s)})
	require.ErrorIs(t, err, runtime.ErrForeignRevision)
	require.Zero(t, page)
}

func testPageInvalid(field string, query ports.PageQuery) func(*testing.T, Harness, Store) {
	return func(t *testing.T, _ Harness, s Store) {
		page, err := s.ListPage(t.Context(), query)
		RequireInvalid(t, err, field)
		require.Zero(t, page)
	}
}
