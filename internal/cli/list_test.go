package cli_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// storeWithGames returns a store with count running games.
func storeWithGames(t *testing.T, count int) *memstore.Store {
	t.Helper()
	store := memstore.New()
	for i := range count {
		require.NoError(t, store.Upsert(t.Context(), runningRecord(fmt.Sprintf("game-%04d", i))))
	}
	return store
}

func serveStore(t *testing.T, store httpserver.Store) (server string) {
	t.Helper()
	daemon, err := httpserver.New(store, httpserver.Config{})
	require.NoError(t, err)
	return serveHandler(t, daemon.Handler())
}

// A list has the requested length, with any number of pages.
func TestListFollowsItsPages(t *testing.T) {
	t.Parallel()
	server := serveStore(t, storeWithGames(t, 1300))
	got := run(t, server, "list", "--no-headers")
	got.requireCode(t, 0, "list")
	require.Equal(t, 1300, strings.Count(got.out, "\n"))
	for limit, want := range map[string]int{"1": 1, "1000": 1000, "1001": 1001, "1299": 1299} {
		got = run(t, server, "list", "--no-headers", "--limit", limit)
		got.requireCode(t, 0, limit)
		require.Equal(t, want, strings.Count(got.out, "\n"), "--limit %s", limit)
		require.Equal(t, "rtmanager: list: showing the first "+render.Count(want, "record")+" (--limit)\n", got.err)
	}
	got = run(t, server, "list", "--no-headers", "--limit", "1300")
	got.requireCode(t, 0, "1300")
	require.Empty(t, got.err, "the list is complete")
}

// compactingStore fails the second page of a list, as if its revision were compacted, the
// given number of times.
type compactingStore struct {
	*memstore.Store
	times int
}

func (*compactingStore) ReadSnapshot(context.Context, ports.PageQuery) (ports.RecordSnapshot, error) {
	return nil, nil
}

func (f *compactingStore) ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	if query.Revision != 0 && f.times > 0 {
		f.times--
		return ports.Page{}, fmt.Errorf("list: %w", runtime.ErrCompacted)
	}
	return f.Store.ListPage(ctx, query)
}

// A list whose revision is compacted starts over, so that it is at one revision.
func TestListStartsOverAfterACompaction(t *testing.T) {
	t.Parallel()
	store := storeWithGames(t, 1300)
	got := run(t, serveStore(t, &compactingStore{store, 2}), "list", "--no-headers")
	got.requireCode(t, 0, "list")
	require.Equal(t, 1300, strings.Count(got.out, "\n"))

	got = run(t, serveStore(t, &compactingStore{store, 3}), "list")
	got.requireCode(t, 1, "list")
	require.Empty(t, got.out)
	require.Contains(t, got.err, "revision has been compacted")
	require.Contains(t, got.err, "hint: the list took longer than the store keeps its revision; use filters")
}

// A sorted list follows its pages too.
func TestListSortedBy(t *testing.T) {
	t.Parallel()
	server := serveStore(t, storeWithGames(t, 1300))
	var sorted []string
	for _, flag := range []string{"game_id", ".game_id", "{.game_id}", "-game_id", "-{.game_id}"} {
		got := run(t, server, "list", "--no-headers", "--sort-by", flag)
		got.requireCode(t, 0, "list")
		sorted = sorted[:0]
		for line := range strings.Lines(got.out) {
			sorted = append(sorted, strings.Fields(line)[0])
		}
		require.Len(t, sorted, 1300)
		if strings.HasPrefix(flag, "-") {
			slices.Reverse(sorted)
		}
		require.IsIncreasing(t, sorted, flag)
	}
	for _, invalid := range []string{"color", "", "-", "{}"} {
		run(t, server, "list", "--sort-by", invalid).requireCode(t, 2, "--sort-by "+invalid)
	}
	run(t, server, "list", "--sort-by", "node", "--all-stores").requireCode(t, 2, "--all-stores")
}
