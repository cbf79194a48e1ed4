package httpserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/servertest"
)

func TestNodesAreListedWithTheirLeaders(t *testing.T) {
	t.Parallel()
	register := &fakeRegistry{leaders: map[string]node.Leader{"eu": {Scope: "eu", Region: "eu", Node: "n2", Fence: node.Fence{Key: "/leaders/eu", CreateRevision: 3}}}}
	register.join("eu", "n1", "http://127.0.0.1:1")
	register.join("eu", "n2", "http://127.0.0.1:2")
	register.join("us", "u1", "http://127.0.0.1:3")
	f := start(t, servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n1"}, Nodes: register})
	got := f.send("GET", "/v1/nodes", "", "")
	require.Equal(t, 200, got.StatusCode, got.body)
	contractOf(t, f).requireDocumented(t, "GET", "/v1/nodes", got)
	nodes := decodeAs[api.Nodes](t, got.body)
	require.Equal(t, node.Ref{Region: "eu", Name: "n1"}, nodes.Responder)
	require.Len(t, nodes.Items, 3)
	for i, n := range nodes.Items {
		require.Equal(t, register.nodes[i], n.Node)
		require.Equal(t, node.StatusReady, n.Status)
	}
	require.Equal(t, []node.Ref{{Region: "eu", Name: "n2"}}, nodes.Leaders, "a region without a leader is not listed")
	require.NotContains(t, got.body, "fence", "the fence of a leadership is internal")

	register.err = runtime.ErrUnavailable
	require.Equal(t, 503, f.send("GET", "/v1/nodes", "", "").StatusCode)
	empty := start(t, servertest.Config{Nodes: new(registerType)})
	require.JSONEq(t, `{"responder":{"region":"","node":""},"items":[],"leaders":[],"regions":[]}`, empty.send("GET", "/v1/nodes", "", "").body)
}

type registerType = fakeRegistry

// The explanation of a game comes from the game's own node.
func TestExplainCallsTheGamesNode(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	exit := 3
	record := recordOn("far", "eu", "n2")
	c.second.explanation = drift.Explanation{
		Record: &record, Revision: 2, Intent: &operation.Intent{GameID: "far", DesiredStatus: "running", Recent: []operation.Outcome{failureOf(ports.OperationRequest{GameID: "far", Kind: operation.KindStart}, operation.FailureStart)}},
		Containers: []container.Container{{ID: "c-far", State: container.StateExited, ExitCode: &exit}}, Logs: []string{"bye"},
	}
	for _, called := range []*fixture{c.one, c.two} {
		got := called.send("GET", "/v1/runtimes/far/explain", "", "")
		require.Equal(t, 200, got.StatusCode, got.body)
		contractOf(t, called).requireDocumented(t, "GET", "/v1/runtimes/far/explain", got)
		page := decodeAs[drift.Explanation](t, got.body)
		require.Equal(t, c.second.explanation.Intent, page.Intent)
		require.Equal(t, []string{"bye"}, page.Logs)
		require.Equal(t, &exit, page.Containers[0].ExitCode)
		require.Contains(t, got.body, `"history":[]`, "an empty list is not null")
	}
	c.second.explainErr = runtime.ErrNotFound
	require.Equal(t, 404, c.one.send("GET", "/v1/runtimes/far/explain", "", "").StatusCode)
	c.first.explainErr = runtime.ErrNotFound
	require.Equal(t, 404, c.one.send("GET", "/v1/runtimes/unknown/explain", "", "").StatusCode)
}

// If the game's node is absent, the explanation has what the store knows.
func TestExplainWithoutTheGamesNode(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	record := recordOn("lost", "us", "gone")
	c.first.explanation = drift.Explanation{Record: &record, Revision: 3, Warnings: []string{"another"}}
	got := c.one.send("GET", "/v1/runtimes/lost/explain", "", "")
	require.Equal(t, 200, got.StatusCode, got.body)
	page := decodeAs[drift.Explanation](t, got.body)
	require.Equal(t, "us", page.Record.Region)
	require.Len(t, page.Warnings, 2)
	require.Contains(t, page.Warnings[1], "us/gone is not among the present nodes; the game's containers")
	require.Len(t, page.Findings, 1)
	require.Equal(t, drift.KindNodeLost, page.Findings[0].Kind)
	require.Equal(t, "node us/gone of the game is absent, and no node of region us is present to reschedule it", page.Findings[0].Evidence)
	c.register.mu.Lock()
	c.register.leaders = map[string]node.Leader{"us": {Scope: "us", Region: "eu", Node: "n1"}}
	c.register.mu.Unlock()
	page = decodeAs[drift.Explanation](t, c.one.send("GET", "/v1/runtimes/lost/explain", "", "").body)
	require.Equal(t, "node us/gone of the game is absent, and no node of region us is present; eu/n1 is its caretaker", page.Findings[0].Evidence)

	bare := startWithStore(t, c.store, servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n3"}, Nodes: c.register})
	got = bare.send("GET", "/v1/runtimes/lost/explain", "", "")
	require.Equal(t, 503, got.StatusCode)
	require.Equal(t, api.CodeNodeUnreachable, got.problem(t).Code)
}
