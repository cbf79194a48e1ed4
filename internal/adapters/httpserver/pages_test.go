package httpserver_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// A list continues only with the filters that it started with. The limit may change.
func TestTokenBelongsToItsFilters(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for _, id := range []string{"a", "b", "c"} {
		require.NoError(t, f.store.Upsert(t.Context(), recordOf(id)))
	}
	filters := []string{"", "&status=running", "&region=eu", "&node=n1", "&region=eu&node=n1", "&status=running&region=eu&node=n1"}
	for _, began := range filters {
		token := decodeAs[api.Page](t, f.send("GET", "/v1/runtimes?limit=1"+began, "", "").body).Continue
		require.NotEmpty(t, token)
		for _, goesOn := range filters {
			got := f.send("GET", "/v1/runtimes?limit=5&continue="+token+goesOn, "", "")
			if began == goesOn {
				require.Equal(t, http.StatusOK, got.StatusCode, "%q continued: %s", began, got.body)
				require.Len(t, decodeAs[api.Page](t, got.body).Items, 2)
				continue
			}
			require.Equal(t, http.StatusBadRequest, got.StatusCode, "%q continued as %q: %s", began, goesOn, got.body)
			require.Equal(t, "query.continue", faultLocations(got.problem(t)))
		}
	}
}

// Every game is listed once, with any id and with any limit.
func TestPagesOfUnusualIDs(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	ids := []string{"a", "a/b", "a b", "%2F", "🎮", "é", "e\u0301", "~", "z"}
	for _, id := range ids {
		require.NoError(t, f.store.Upsert(t.Context(), recordOf(id)))
	}
	for _, limit := range []string{"1", "2", "4", "9", "10"} {
		var seen []string
		next := ""
		for {
			page := decodeAs[api.Page](t, f.send("GET", "/v1/runtimes?limit="+limit+next, "", "").body)
			for _, item := range page.Items {
				seen = append(seen, item.GameID)
			}
			if page.Continue == "" {
				break
			}
			next = "&continue=" + page.Continue
		}
		require.ElementsMatch(t, ids, seen, "in pages of %s", limit)
	}
}

// A sorted list has each record once, and it continues only with the same sort.
func TestSortedList(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for i, id := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		record := recordOf(id)
		record.CreatedAt = record.CreatedAt.Add(time.Duration(i%3) * time.Hour)
		require.NoError(t, f.store.Upsert(t.Context(), record))
	}
	var games []string
	pages, next := 0, ""
	for {
		page := decodeAs[api.Page](t, f.send("GET", "/v1/runtimes?limit=3&sort=-created_at"+next, "", "").body)
		for _, item := range page.Items {
			games = append(games, item.GameID)
		}
		if pages++; page.Continue == "" {
			break
		}
		next = "&continue=" + page.Continue
		for _, other := range []string{"", "&sort=created_at", "&sort=-game_id"} {
			got := f.send("GET", "/v1/runtimes?limit=3"+other+next, "", "")
			require.Equal(t, http.StatusBadRequest, got.StatusCode, "%q: %s", other, got.body)
			require.Equal(t, "query.continue", faultLocations(got.problem(t)))
		}
	}
	require.Equal(t, []string{"c", "f", "b", "e", "a", "d", "g"}, games)
	require.Equal(t, 3, pages)
	for _, invalid := range []string{"sort=color", "sort=", "sort=-", "sort=game_id&stores=all"} {
		got := f.send("GET", "/v1/runtimes?"+invalid, "", "")
		require.Equal(t, http.StatusBadRequest, got.StatusCode, "%q: %s", invalid, got.body)
		require.Equal(t, "query.sort", faultLocations(got.problem(t)))
	}
	for _, field := range ports.SortFields() {
		for _, sign := range []string{"", "-"} {
			require.Equal(t, http.StatusOK, f.send("GET", "/v1/runtimes?sort="+sign+field, "", "").StatusCode, field)
		}
	}
}
