package httpserver_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// A game without a node is started on the requested node, or otherwise on the node that the
// scheduler selects.
func TestWhereAGameIsStarted(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		body     string
		noEngine bool // the daemon that is called runs none
		record   *runtime.RuntimeRecord
		want     string
	}{
		"here":                                    {`{}`, false, nil, "n1"},
		"here, by name":                           {`{"region":"eu","node":"n1"}`, false, nil, "n1"},
		"here, in its region":                     {`{"region":"eu"}`, false, nil, "n1"},
		"on another node":                         {`{"region":"eu","node":"n2","image":"a:1"}`, false, nil, "n2"},
		"on another node of this region":          {`{"node":"n2"}`, false, nil, "n2"},
		"on the emptiest of this region":          {`{}`, true, nil, "n3"},
		"on the emptiest of the region":           {`{"region":"eu"}`, true, nil, "n3"},
		"in another region":                       {`{"region":"us"}`, false, nil, "u1"},
		"where it was removed":                    {`{}`, false, removedRecord("n3"), "n3"},
		"not where it was removed":                {`{"node":"n2"}`, false, removedRecord("n3"), "n2"},
		"where it was removed, on an absent node": {`{}`, false, removedRecord("n9"), "n1"},
		"where it was removed, in that region":    {`{"region":"us"}`, false, removedRecord("n3"), "u1"},
		"record without a node":                   {`{}`, false, recordWithoutNode(), "n1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			register, managers := &fakeRegistry{}, map[string]*fakeNode{}
			node := func(region, name string) *fixture {
				cfg := servertest.Config{Config: httpserver.Config{Region: region, Node: name}, Nodes: register}
				if name != "n1" || !row.noEngine {
					managers[name] = &fakeNode{}
					cfg.Local = managers[name]
				}
				f := start(t, cfg)
				if cfg.Local != nil {
					register.join(region, name, "http://"+f.addr)
				}
				return f
			}
			called := node("eu", "n1")
			for _, n := range []string{"n2", "n3"} {
				node("eu", n)
			}
			node("us", "u1")
			for i, home := range []string{"n2", "n2", "n3"} {
				require.NoError(t, called.store.Upsert(t.Context(), recordOn(fmt.Sprintf("other-%d", i), "eu", home)))
			}
			if row.record != nil {
				require.NoError(t, called.store.Upsert(t.Context(), *row.record))
			}
			got := called.send("POST", operationPath("g", operation.KindStart), "", row.body)
			require.Equal(t, http.StatusOK, got.StatusCode, got.body)
			for name, m := range managers {
				require.Equal(t, name == row.want, m.count() == 1, "%s was called %d times", name, m.count())
			}
		})
	}
}

func removedRecord(node string) *runtime.RuntimeRecord {
	record := recordOn("g", "eu", node)
	record.Status, record.RemovedAt, record.CurrentContainerID = runtime.StatusRemoved, &noon, ""
	return &record
}

func recordWithoutNode() *runtime.RuntimeRecord {
	record := recordOn("g", "", "")
	return &record
}

// If no node can run a game, the response names the reason.
func TestNoNodeCanRunTheGame(t *testing.T) {
	t.Parallel()
	register := &fakeRegistry{nodes: []node.Node{{Region: "eu", Name: "bare", API: "http://127.0.0.1:1"}}}
	f := start(t, servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n1"}, Nodes: register})
	for body, want := range map[string]string{
		`{}`:              "no node that runs games is present",
		`{"region":"us"}`: `no node that runs games is present in region "us"`,
		`{"node":"n7"}`:   "eu/n7 is not among the present nodes",
	} {
		got := f.send("POST", operationPath("g", operation.KindStart), "", body)
		require.Equal(t, http.StatusServiceUnavailable, got.StatusCode, got.body)
		require.Equal(t, api.CodeNodeUnreachable, got.problem(t).Code)
		require.Contains(t, got.problem(t).Detail, want)
	}
	register.err = runtime.ErrUnavailable
	got := f.send("POST", operationPath("g", operation.KindStart), "", "")
	require.Equal(t, api.CodeUnavailable, got.problem(t).Code, "the present nodes are unknown: %s", got.body)
}

// A dry run reports where a start would run the game, and why, and starts nothing.
func TestDryRunOfAStart(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	path := operationPath("g", operation.KindStart) + "?dry_run=true"
	got := c.one.send("POST", path, "", `{"image":"a:1"}`)
	require.Equal(t, http.StatusOK, got.StatusCode, got.body)
	contractOf(t, c.one).requireDocumented(t, "POST", path, got)
	found := decodeAs[api.OperationResult](t, got.body).Placement
	require.Equal(t, "eu", found.Region)
	require.Equal(t, "n1", found.Node, "n2 has a game")
	require.Len(t, found.Nodes, 2)
	require.Equal(t, 1, found.Nodes[1].Used.Games)
	require.NoError(t, found.Error())

	c.register.nodes[0].Capacity.Games, c.register.nodes[1].Labels = 1, map[string]string{"disk": "hdd"}
	got = c.one.send("POST", path, "", `{"image":"a:1","node_selector":{"disk":"ssd"}}`)
	require.Equal(t, http.StatusOK, got.StatusCode, got.body)
	require.EqualError(t, decodeAs[api.OperationResult](t, got.body).Placement.Error(), "no node of region eu fits: n1 lacks the label disk=ssd, n2 lacks the label disk=ssd")
	got = c.one.send("POST", operationPath("g", operation.KindStart), "", `{"image":"a:1","node_selector":{"disk":"ssd"}}`)
	require.Equal(t, http.StatusConflict, got.StatusCode, got.body)
	require.Equal(t, api.CodeNoCapacity, got.problem(t).Code)

	got = c.one.send("POST", operationPath("far", operation.KindStart)+"?dry_run=true", "", "")
	require.Equal(t, "n2", decodeAs[api.OperationResult](t, got.body).Placement.Node, "the game runs there")
	require.Zero(t, c.first.count()+c.second.count())
}
