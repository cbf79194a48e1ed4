package cli_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// A list names lost nodes, and how old its records are.
func TestListWarnsOfLostNodesAndOldRecords(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	require.NoError(t, store.Upsert(t.Context(), localRecord("g")))
	daemon, _, err := servertest.New(store, servertest.Config{Nodes: testNodes(), Config: httpserver.Config{
		Region: "eu", Node: "n1",
		Clock:         func() time.Time { return noon.Add(time.Minute) },
		StoreProvenAt: func() time.Time { return noon },
		Regions: func() []node.RegionState {
			return []node.RegionState{
				{Region: "ap", Leader: node.Ref{Region: "eu", Name: "n1"}, GamesOnAbsentNodes: 2, Absent: []node.AbsentNode{{Name: "a1", Status: node.StatusLost, Since: noon}, {Name: "a2", Status: node.StatusStopped}}},
				{Region: "eu", Nodes: 1, Absent: []node.AbsentNode{{Name: "n8", Status: node.StatusLost}, {Name: "n9", Status: node.StatusStopped, Since: noon}}},
				{Region: "us", Nodes: 1, Absent: []node.AbsentNode{{Name: "u1", Status: node.StatusStopped, Since: noon}}},
			}
		},
	}})
	require.NoError(t, err)
	server := serveHandler(t, daemon.Handler())
	const lost = "warning: region ap: node a1 is lost for 24h, node a2 is stopped; 2 games there; no node is present, and eu/n1 is the caretaker\n" +
		"warning: region eu: node n8 is lost\n"
	got := run(t, server, "list")
	got.requireCode(t, 0, "list")
	require.Equal(t, lost, got.err)
	got = run(t, server, "list", "--consistency", "local")
	require.Equal(t, "warning: the records may be old: etcd last confirmed them 60s ago, and this daemon may be cut off\n"+lost, got.err)
	got = run(t, server, "list", "-o", "json", "--region", "us")
	require.Contains(t, got.out, `"regions":[{"region":"us","revision":2,"age_ms":0,"nodes":1,"absent":[{"node":"u1","status":"stopped","since":"2026-03-01T12:00:00Z"}]}]`)
	require.Empty(t, got.err, "a node that was stopped and has no games causes no warning")
}
