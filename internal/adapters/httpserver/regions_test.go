package httpserver_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// regionsConfig is the configuration of a server whose copy of the records was confirmed 1.5 s
// ago. The only node of ap is lost, with two games.
func regionsConfig() httpserver.Config {
	return httpserver.Config{
		Region: "eu", Node: "n1", Heartbeat: shortHeartbeat,
		Clock:         func() time.Time { return noon.Add(1500 * time.Millisecond) },
		StoreProvenAt: func() time.Time { return noon },
		Regions: func() []node.RegionState {
			return []node.RegionState{
				{Region: "ap", Leader: node.Ref{Region: "eu", Name: "n1"}, Absent: []node.AbsentNode{{Name: "a1", Status: node.StatusLost, Since: noon}}, GamesOnAbsentNodes: 2},
				{Region: "eu", Leader: node.Ref{Region: "eu", Name: "n1"}, Nodes: 1},
			}
		},
	}
}

// expectedRegions are the regions of regionsConfig in a response.
func expectedRegions(revision, ageMS int64) []api.Region {
	leader, since := node.Ref{Region: "eu", Name: "n1"}, noon
	return []api.Region{
		{Region: "ap", Revision: revision, AgeMS: &ageMS, Leader: &leader, Absent: []api.AbsentNode{{Node: "a1", Status: node.StatusLost, Since: &since}}, GamesOnAbsentNodes: 2},
		{Region: "eu", Revision: revision, AgeMS: &ageMS, Nodes: 1, Leader: &leader},
	}
}

func TestListsHaveTheStateOfEachRegion(t *testing.T) {
	t.Parallel()
	f := start(t, regionsConfig())
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	got := f.send("GET", "/v1/runtimes", "", "")
	contractOf(t, f).requireDocumented(t, "GET", "/v1/runtimes", got)
	require.Equal(t, expectedRegions(2, 0), decodeAs[api.Page](t, got.body).Regions, "a linearizable list is current")
	got = f.send("GET", "/v1/runtimes?consistency=local", "", "")
	require.Equal(t, expectedRegions(2, 1500), decodeAs[api.Page](t, got.body).Regions)
	got = f.send("GET", "/v1/runtimes?region=eu", "", "")
	require.Equal(t, expectedRegions(2, 0)[1:], decodeAs[api.Page](t, got.body).Regions)
	got = f.send("GET", "/v1/runtimes/g?consistency=local", "", "")
	require.Equal(t, "1500", got.Header.Get("Rtmanager-Age"))
	contractOf(t, f).requireDocumented(t, "GET", "/v1/runtimes/{game_id}", got)
	require.Empty(t, f.send("GET", "/v1/runtimes/g", "", "").Header.Get("Rtmanager-Age"))
}

func TestBookmarksHaveTheStateOfEachRegion(t *testing.T) {
	t.Parallel()
	f := start(t, regionsConfig())
	contract := contractOf(t, f)
	s := f.watch("", ndjson)
	for _, want := range []string{"synced 1", "bookmark 1", "bookmark 1"} {
		element := s.next()
		for want == "synced 1" && element.Type == "bookmark" {
			element = s.next() // it was slow to start
		}
		require.Equal(t, want, element.brief())
		contract.requireValid(t, element.raw, "components", "schemas", "Event")
		require.Equal(t, expectedRegions(1, 1500), decodeAs[api.Event](t, element.raw).Regions)
	}
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	require.Empty(t, decodeAs[api.Event](t, s.nextChange().raw).Regions, "a change has none")
}

// A caller sees the regions of its grants only.
func TestRegionsOfOtherGrants(t *testing.T) {
	t.Parallel()
	s := startSecured(t, func(cfg *servertest.Config) { cfg.Regions = regionsConfig().Regions })
	page := decodeAs[api.Page](t, s.send("GET", "/v1/runtimes", s.token("ci", "reader@eu"), "").body)
	require.Len(t, page.Regions, 1)
	require.Equal(t, "eu", page.Regions[0].Region)
}
