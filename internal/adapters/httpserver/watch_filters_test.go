package httpserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
)

// The same changes through each filter: a game is reported when it starts to match, and
// when it stops matching, with the record of that change.
func TestWatchFilters(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	put := func(id, region, node string) {
		record := recordOf(id)
		record.Region, record.Node = region, node
		require.NoError(t, f.store.Upsert(t.Context(), record))
	}
	put("a", "eu", "n1")
	put("b", "us", "n2")
	watches := map[string]*watchReader{}
	for _, query := range []string{
		"?status=stopped", "?status=running", "?status=removed", "?region=eu", "?node=n2", "?game_id=b",
		"?region=eu&node=n2", "?region=eu&status=stopped", "?game_id=%C3%BC%2F",
	} {
		watches[query] = f.watch(query, "")
	}
	put("a", "us", "n2") // at 4 it leaves eu and enters n2
	transitioned := f.send("POST", "/v1/runtimes/b/status", "", `{"expected_from":"running","to":"stopped"}`)
	require.Equal(t, 200, transitioned.StatusCode, transitioned.body)
	put("b", "eu", "n2") // at 6 it is running and enters eu
	f.store.DeleteKeys("a")
	put("ü/", "ap", "n9")

	watches["?status=running"].expect("snapshot a 3", "snapshot b 3", "synced 3",
		"upserted a 4", "transitioned b 5", "upserted b 6", "deleted a 7", "upserted ü/ 8")
	watches["?region=eu"].expect("snapshot a 3", "synced 3", "upserted a 4")
	watches["?node=n2"].expect("snapshot b 3", "synced 3", "upserted a 4", "transitioned b 5", "upserted b 6", "deleted a 7")
	watches["?game_id=b"].expect("snapshot b 3", "synced 3")
	watches["?game_id=%C3%BC%2F"].expect("synced 3")

	stopped := watches["?status=stopped"]
	stopped.expect("synced 3")
	entered := stopped.nextChange()
	require.Equal(t, "transitioned b 5", entered.brief())
	require.Equal(t, "running stopped", string(entered.Before.Status+" "+entered.After.Status))
	leaving := stopped.nextChange()
	require.Equal(t, "upserted b 6", leaving.brief())
	require.Equal(t, "stopped running", string(leaving.Before.Status+" "+leaving.After.Status), "a game that leaves the filter is reported")

	watches["?region=eu&node=n2"].expect("synced 3")
	require.Equal(t, "upserted b 6", watches["?region=eu&node=n2"].nextChange().brief())
	require.Equal(t, "upserted b 6", watches["?region=eu"].nextChange().brief())
	require.Equal(t, "transitioned b 5", watches["?game_id=b"].nextChange().brief())
	require.Equal(t, "upserted b 6", watches["?game_id=b"].nextChange().brief())
	require.Equal(t, "upserted ü/ 8", watches["?game_id=%C3%BC%2F"].nextChange().brief())

	// If nothing matches, a bookmark advances the client's revision.
	for _, query := range []string{"?status=removed", "?region=eu&status=stopped"} {
		s := watches[query]
		s.expect("synced 3")
		for e := s.next(); e.Revision < 8; e = s.next() {
			require.Equal(t, "bookmark", e.Type, "%s: %s", query, e.raw)
			require.Equal(t, itoa(e.Revision)+"@"+f.storeID(), e.id, "a client can resume from a bookmark: %s", e.raw)
		}
	}
}

// nextChange skips bookmarks.
func (s *watchReader) nextChange() element {
	s.t.Helper()
	for {
		if e := s.next(); e.Type != "bookmark" {
			return e
		}
	}
}
