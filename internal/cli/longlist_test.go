package cli_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// many are more games than one page holds.
func many(t *testing.T, count int) *memstore.Store {
	t.Helper()
	store := memstore.New()
	for i := range count {
		require.NoError(t, store.Upsert(t.Context(), game(fmt.Sprintf("game-%04d", i))))
	}
	return store
}

func servingStore(t *testing.T, store ports.Store) (server string) {
	t.Helper()
	daemon, err := httpserver.New(store, httpserver.Config{})
	require.NoError(t, err)
	return serving(t, daemon.Handler())
}

// A list is as long as it is wanted, over as many pages as that takes.
func TestListFollowsItsPages(t *testing.T) {
	t.Parallel()
	server := servingStore(t, many(t, 1300))
	got := run(t, server, "list", "--no-headers")
	got.requireCode(t, 0, "list")
	require.Equal(t, 1300, strings.Count(got.out, "\n"))
	for limit, want := range map[string]int{"1": 1, "1000": 1000, "1001": 1001, "1299": 1299} {
		got = run(t, server, "list", "--no-headers", "--limit", limit)
		got.requireCode(t, 0, limit)
		require.Equal(t, want, strings.Count(got.out, "\n"), "--limit %s", limit)
		require.Equal(t, "rtmanager: list: stopped at --limit "+limit+"; there are more\n", got.err)
	}
	got = run(t, server, "list", "--no-headers", "--limit", "1300")
	got.requireCode(t, 0, "1300")
	require.Empty(t, got.err, "there are no more")
}

// forgetful has compacted the revision of a list by the time that its second page
// is asked for, as many times as it is told to.
type forgetful struct {
	*memstore.Store
	times int
}

func (f *forgetful) ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	if query.Revision != 0 && f.times > 0 {
		f.times--
		return ports.Page{}, fmt.Errorf("list: %w", runtime.ErrCompacted)
	}
	return f.Store.ListPage(ctx, query)
}

// A list that took too long begins again: what it prints stands at one revision.
func TestListStartsOverWhenItsRevisionIsForgotten(t *testing.T) {
	t.Parallel()
	store := many(t, 1300)
	got := run(t, servingStore(t, &forgetful{store, 2}), "list", "--no-headers")
	got.requireCode(t, 0, "list")
	require.Equal(t, 1300, strings.Count(got.out, "\n"))

	got = run(t, servingStore(t, &forgetful{store, 3}), "list")
	got.requireCode(t, 1, "list")
	require.Empty(t, got.out)
	require.Contains(t, got.err, "revision has been compacted")
	require.Contains(t, got.err, "hint: the list took longer than the store remembers its revision; filter it")
}
