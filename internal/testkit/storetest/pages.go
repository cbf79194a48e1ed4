package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func pageBehaviours() []behaviour {
	return []behaviour{
		{name: "a page of an empty store is empty and the last", test: pageEmpty},
		{name: "pages of one give every record once, ordered by key", test: pagesOfOne},
		{name: "pages of any size give the same list", test: pageSizes},
		{name: "a limit of exactly the records needs no further record", test: pageExact},
		{name: "the largest limit is allowed", test: pageLargest},
		{name: "records in a page carry the revision of their last change", test: pageRevisions},
		{name: "a page filters by status", test: pageFilter(ports.PageQuery{Status: runtime.StatusStopped})},
		{name: "a page filters by region", test: pageFilter(ports.PageQuery{Region: "eu"})},
		{name: "a page filters by node", test: pageFilter(ports.PageQuery{Node: "node-2"})},
		{name: "filters of a page are taken together", test: pageFilter(ports.PageQuery{Status: runtime.StatusRunning, Region: "us", Node: "node-1"})},
		{name: "a filter that nothing matches gives an empty list", test: pageFilterNothing},
		{name: "all pages stand at the first one's revision while writes go on", test: pagesPinned},
		{name: "a filtered list stands at its revision while statuses change", test: pagesPinnedFiltered},
		{name: "a list can be asked for at an earlier revision", test: pageEarlier},
		{name: "a list as of now sees the last acknowledged write", test: pageFresh},
		{name: "a revision that the store has not reached is ErrForeignRevision", test: pageFuture},
		{name: "a negative revision is ErrInvalid", test: pageInvalid("revision", ports.PageQuery{Limit: 1, Revision: -1})},
		{name: "an unknown status is ErrInvalid", test: pageInvalid("status", ports.PageQuery{Limit: 1, Status: "paused"})},
		{name: "a limit of zero is ErrInvalid", test: pageInvalid("limit", ports.PageQuery{})},
		{name: "a negative limit is ErrInvalid", test: pageInvalid("limit", ports.PageQuery{Limit: -1})},
		{name: "a limit above the largest is ErrInvalid", test: pageInvalid("limit", ports.PageQuery{Limit: ports.MaxPageLimit + 1})},
	}
}

// collect follows a query through all its pages.
func collect(t *testing.T, s ports.Store, query ports.PageQuery) (records []runtime.VersionedRecord, revision int64) {
	t.Helper()
	for {
		page, err := s.ListPage(t.Context(), query)
		require.NoError(t, err, "page %+v", query)
		require.LessOrEqual(t, len(page.Records), query.Limit)
		require.Empty(t, page.Corrupt)
		require.Positive(t, page.Revision)
		if query.Revision != 0 {
			require.Equal(t, query.Revision, page.Revision, "a page stands at the revision that was asked for")
		}
		records = append(records, page.Records...)
		if page.Next == "" {
			return records, page.Revision
		}
		require.NotEqual(t, query.After, page.Next, "the list does not move on")
		query.Revision, query.After = page.Revision, page.Next
	}
}

// variedGames writes n games over all statuses, two regions and three nodes.
func variedGames(t *testing.T, s ports.Store, n int) []runtime.VersionedRecord {
	t.Helper()
	written := make([]runtime.VersionedRecord, 0, n)
	for i := range n {
		r := record(game(i), runtime.Statuses()[i%3])
		r.Region = []string{"eu", "us"}[i/3%2]
		r.Node = fmt.Sprintf("node-%d", i/6%3)
		written = append(written, put(t, s, r))
	}
	return written
}

func pageEmpty(t *testing.T, _ Harness, s ports.Store) {
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Records)
	require.Empty(t, page.Next)
	require.Positive(t, page.Revision)
}

func pagesOfOne(t *testing.T, _ Harness, s ports.Store) {
	want := variedGames(t, s, 7)
	got, _ := collect(t, s, ports.PageQuery{Limit: 1})
	require.Equal(t, want, got)
}

func pageSizes(t *testing.T, _ Harness, s ports.Store) {
	want := variedGames(t, s, 25)
	for _, limit := range []int{2, 3, 7, 24, 26, 100} {
		got, _ := collect(t, s, ports.PageQuery{Limit: limit})
		require.Equal(t, want, got, "limit %d", limit)
	}
}

func pageExact(t *testing.T, _ Harness, s ports.Store) {
	want := variedGames(t, s, 5)
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 5})
	require.NoError(t, err)
	require.Equal(t, want, page.Records)
	got, _ := collect(t, s, ports.PageQuery{Limit: 5})
	require.Equal(t, want, got)
}

func pageLargest(t *testing.T, _ Harness, s ports.Store) {
	want := variedGames(t, s, 3)
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: ports.MaxPageLimit})
	require.NoError(t, err)
	require.Equal(t, want, page.Records)
	require.Empty(t, page.Next)
}

func pageRevisions(t *testing.T, _ Harness, s ports.Store) {
	variedGames(t, s, 3)
	want := transition(t, s, stop(game(0), 5))
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, want, page.Records[0])
	require.GreaterOrEqual(t, page.Revision, want.Revision)
}

func pageFilter(query ports.PageQuery) func(*testing.T, Harness, ports.Store) {
	return func(t *testing.T, _ Harness, s ports.Store) {
		var want []runtime.VersionedRecord
		for _, v := range variedGames(t, s, 40) {
			if (query.Status == "" || v.Record.Status == query.Status) &&
				(query.Region == "" || v.Record.Region == query.Region) &&
				(query.Node == "" || v.Record.Node == query.Node) {
				want = append(want, v)
			}
		}
		require.NotEmpty(t, want)
		for _, limit := range []int{1, 2, len(want), 100} {
			query.Limit = limit
			got, _ := collect(t, s, query)
			require.Equal(t, want, got, "limit %d", limit)
		}
	}
}

func pageFilterNothing(t *testing.T, _ Harness, s ports.Store) {
	variedGames(t, s, 10)
	for _, query := range []ports.PageQuery{{Region: "mars"}, {Node: "node-1x"}, {Region: "e"}, {Status: runtime.StatusStopped, Node: "none"}} {
		query.Limit = 3
		got, _ := collect(t, s, query)
		require.Empty(t, got, "%+v", query)
	}
}

func pagesPinned(t *testing.T, _ Harness, s ports.Store) {
	want := variedGames(t, s, 9)
	query := ports.PageQuery{Limit: 2}
	first, err := s.ListPage(t.Context(), query)
	require.NoError(t, err)
	got := slices.Clone(first.Records)
	for next, n := first.Next, 0; next != ""; n++ {
		put(t, s, removed(game(n)))
		put(t, s, running(game(n)+"-inserted"))
		transition(t, s, move(game(n)+"-inserted", runtime.StatusRunning, runtime.StatusStopped, n))
		page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 2, Revision: first.Revision, After: next})
		require.NoError(t, err)
		require.Equal(t, first.Revision, page.Revision)
		got = append(got, page.Records...)
		next = page.Next
	}
	require.Equal(t, want, got)
}

func pagesPinnedFiltered(t *testing.T, _ Harness, s ports.Store) {
	var want []runtime.VersionedRecord
	for n := range 6 {
		want = append(want, put(t, s, running(game(n))))
	}
	query := ports.PageQuery{Status: runtime.StatusRunning, Limit: 2}
	first, err := s.ListPage(t.Context(), query)
	require.NoError(t, err)
	for n := range 6 {
		transition(t, s, stop(game(n), n))
	}
	put(t, s, running(game(9)))
	query.Revision, query.After = first.Revision, first.Next
	rest, _ := collect(t, s, query)
	require.Equal(t, want, append(first.Records, rest...))
}

func pageEarlier(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	second := transition(t, s, stop("a", 5))
	third := put(t, s, running("b"))
	for revision, want := range map[int64][]runtime.VersionedRecord{
		first.Revision:  {first},
		second.Revision: {second},
		third.Revision:  {second, third},
	} {
		got, at := collect(t, s, ports.PageQuery{Limit: 10, Revision: revision})
		require.Equal(t, want, got)
		require.Equal(t, revision, at)
	}
}

func pageFresh(t *testing.T, _ Harness, s ports.Store) {
	for n := range 20 {
		written := put(t, s, running(game(n)))
		got, revision := collect(t, s, ports.PageQuery{Limit: 100})
		require.Len(t, got, n+1)
		require.GreaterOrEqual(t, revision, written.Revision)
	}
}

func pageFuture(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 1, Revision: farFuture(t, s)})
	require.ErrorIs(t, err, runtime.ErrForeignRevision)
	require.Zero(t, page)
}

func pageInvalid(field string, query ports.PageQuery) func(*testing.T, Harness, ports.Store) {
	return func(t *testing.T, _ Harness, s ports.Store) {
		page, err := s.ListPage(t.Context(), query)
		requireInvalid(t, err, field)
		require.Zero(t, page)
	}
}
