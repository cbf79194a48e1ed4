package httpclient_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// singleNode is a registry of one node, which is the leader.
type singleNode struct{ node.Node }

func (a singleNode) Nodes(context.Context) ([]node.Node, error) { return []node.Node{a.Node}, nil }

func (a singleNode) Overview(context.Context) (node.Overview, error) {
	return node.Overview{Present: []node.Node{a.Node}, Leaders: []node.Leader{{Scope: a.Region, Region: a.Region, Node: a.Name}}}, nil
}

func (a singleNode) AwaitAbsence(ctx context.Context, _ node.Node) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (a singleNode) SetLost(context.Context, node.Ref, time.Time) error { return nil }

func (a singleNode) RemoveNode(context.Context, node.Ref) error { return nil }

func driftFinding(id string) drift.Finding {
	return drift.Finding{
		ID: id, Kind: drift.KindExited, GameID: "g", Region: "eu", Node: "n1", Action: drift.ActionMarkStopped, Evidence: "exited",
		FirstSeen: startTime, Observations: 2, RecordRevision: 5, IntentRevision: 3,
	}
}

func TestNodesDriftAndExplainOverHTTP(t *testing.T) {
	t.Parallel()
	self := node.Node{Region: "eu", Name: "n1", API: "http://127.0.0.1:1", Version: "1", Engine: container.EngineKindProcess, StartedAt: startTime, Now: time.Now().UTC(), Session: 4}
	record := running("g")
	o := &fakeManager{page: drift.Explanation{
		GameID: "g", Record: &record, Revision: 2, History: []runtime.LedgerEntry{}, Containers: []container.Container{}, Logs: []string{"a"},
		Findings: []drift.Finding{driftFinding("a")}, Warnings: []string{},
	}}
	for i := range 1201 { // more than fit into one request
		o.report.Findings = append(o.report.Findings, driftFinding(fmt.Sprintf("%04d", i)))
	}
	o.report.Brakes = []drift.Brake{{Region: "eu", Node: "n1", Since: startTime, Reason: "many"}}
	client := clientOfManager(t, o, singleNode{self})

	nodes, err := client.Nodes(t.Context())
	require.NoError(t, err)
	require.Equal(t, api.Nodes{Responder: node.Ref{Region: "eu", Name: "n1"}, Items: []api.Node{{Node: self, Status: node.StatusReady}}, Leaders: []node.Ref{{Region: "eu", Name: "n1"}}, Regions: []api.Region{{Region: "eu", Nodes: 1, Leader: &node.Ref{Region: "eu", Name: "n1"}}}}, nodes)
	page, err := client.Explain(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, o.page, page)
	report, err := client.Drift(t.Context())
	require.NoError(t, err)
	require.Equal(t, o.report.Findings, report.Findings)
	require.Equal(t, o.report.Brakes, report.Brakes)
	results, err := client.ApplyDrift(t.Context(), report.Findings, "ada")
	require.NoError(t, err)
	require.Len(t, results, 1201)
	for i, r := range results {
		require.Equal(t, report.Findings[i].ID, r.ID)
		require.Equal(t, drift.ApplyDone, r.Status)
	}
	results, err = client.ApplyDrift(t.Context(), nil, "")
	require.NoError(t, err)
	require.Empty(t, results)
	require.NoError(t, client.ReleaseBrake(t.Context(), "eu", "n1"))

	o.err = &operation.RejectedError{Operation: "release", Reason: "the brake is not on"}
	require.Equal(t, o.err, client.ReleaseBrake(t.Context(), "eu", "n1"))
	o.err = runtime.ErrNotFound
	_, err = client.Explain(t.Context(), "g")
	requireOnly(t, runtime.ErrNotFound, err)
	_, err = client.Explain(t.Context(), " ")
	requireOnly(t, runtime.ErrInvalid, err)
}

// A JSON response to some other request is not treated as an empty result.
func TestUnexpectedResponsesAboutNodes(t *testing.T) {
	t.Parallel()
	client, _ := scriptedClient(t, fastRetries(), func(s exchange) {
		s.w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(s.w, "{}")
	})
	for name, c := range map[string]struct {
		call     func(*httpclient.Client) error
		sentinel error
	}{
		"nodes":   {func(c *httpclient.Client) error { _, err := c.Nodes(t.Context()); return err }, nil},
		"drift":   {func(c *httpclient.Client) error { _, err := c.Drift(t.Context()); return err }, nil},
		"explain": {func(c *httpclient.Client) error { _, err := c.Explain(t.Context(), "g"); return err }, nil},
		"apply": {func(c *httpclient.Client) error {
			_, err := c.ApplyDrift(t.Context(), []drift.Finding{driftFinding("a")}, "")
			return err
		}, runtime.ErrOutcomeUnknown},
		"release": {func(c *httpclient.Client) error { return c.ReleaseBrake(t.Context(), "eu", "n1") }, runtime.ErrOutcomeUnknown},
	} {
		err := c.call(client)
		require.Error(t, err, name)
		requireOnly(t, c.sentinel, err)
		require.ErrorContains(t, err, "returned an unexpected response", name)
	}
	cut, requests := scriptedClient(t, fastRetries(), exchange.dropConnection)
	requireOnly(t, runtime.ErrOutcomeUnknown, cut.ReleaseBrake(t.Context(), "eu", "n1"))
	require.EqualValues(t, 1, requests.Load(), "a change without an idempotency key is not retried")
	page, _ := scriptedClient(t, fastRetries(), func(s exchange) { htmlPage(s.w, http.StatusNotFound) })
	requireOnly(t, nil, page.ReleaseBrake(t.Context(), "eu", "n1"))
}
