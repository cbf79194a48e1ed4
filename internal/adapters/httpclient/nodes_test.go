package httpclient_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// alone is a register of one node, which leads.
type alone struct{ ports.Node }

func (a alone) Nodes(context.Context) ([]ports.Node, error) { return []ports.Node{a.Node}, nil }

func (alone) WatchNodes(context.Context) iter.Seq2[[]ports.Node, error] { return nil }

func (a alone) Leader(context.Context, string) (ports.Leader, bool, error) {
	return ports.Leader{Region: a.Region, Node: a.Name}, true, nil
}

func driftFinding(id string) ports.DriftFinding {
	return ports.DriftFinding{
		ID: id, Kind: ports.DriftExited, GameID: "g", Region: "eu", Node: "n1", Action: ports.ActionMarkStopped, Evidence: "exited",
		FirstSeen: began, Observations: 2, RecordRevision: 5, IntentRevision: 3,
	}
}

func TestNodesDriftAndExplainOverHTTP(t *testing.T) {
	t.Parallel()
	node := ports.Node{Region: "eu", Name: "n1", API: "http://127.0.0.1:1", Version: "1", Engine: ports.EngineCapabilities{Kind: "process"}, StartedAt: began, Now: began, Session: 4}
	record := running("g")
	o := &operator{page: ports.Explanation{
		GameID: "g", Record: &record, Revision: 2, History: []runtime.LedgerEntry{}, Containers: []ports.Container{}, Logs: []string{"a"},
		Findings: []ports.DriftFinding{driftFinding("a")}, Warnings: []string{},
	}}
	for i := range 1201 { // more than go into one request
		o.report.Findings = append(o.report.Findings, driftFinding(fmt.Sprintf("%04d", i)))
	}
	o.report.Brakes = []ports.Brake{{Region: "eu", Node: "n1", Since: began, Reason: "many"}}
	client := farOperator(t, o, alone{node})

	nodes, err := client.Nodes(t.Context())
	require.NoError(t, err)
	require.Equal(t, api.Nodes{Answered: api.Place{Region: "eu", Node: "n1"}, Items: []ports.Node{node}, Leaders: []api.Place{{Region: "eu", Node: "n1"}}}, nodes)
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
		require.Equal(t, report.Findings[i].ID+" applied", r.ID+" "+string(r.Status))
	}
	results, err = client.ApplyDrift(t.Context(), nil, "")
	require.NoError(t, err)
	require.Empty(t, results)
	require.NoError(t, client.ReleaseBrake(t.Context(), "eu", "n1"))

	o.err = &runtime.RefusedError{Operation: "release", Reason: "the brake is not on"}
	require.Equal(t, o.err, client.ReleaseBrake(t.Context(), "eu", "n1"))
	o.err = runtime.ErrNotFound
	_, err = client.Explain(t.Context(), "g")
	requireOnly(t, runtime.ErrNotFound, err)
	_, err = client.Explain(t.Context(), " ")
	requireOnly(t, runtime.ErrInvalid, err)
}

// JSON that answers some other question is not taken for "nothing".
func TestStrangeAnswersToQuestionsAboutNodes(t *testing.T) {
	t.Parallel()
	client, _ := playing(t, quick(), func(s stage) {
		s.w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(s.w, "{}")
	})
	for name, ask := range map[string]struct {
		call     func(*httpclient.Client) error
		sentinel error
	}{
		"nodes":   {func(c *httpclient.Client) error { _, err := c.Nodes(t.Context()); return err }, nil},
		"drift":   {func(c *httpclient.Client) error { _, err := c.Drift(t.Context()); return err }, nil},
		"explain": {func(c *httpclient.Client) error { _, err := c.Explain(t.Context(), "g"); return err }, nil},
		"apply": {func(c *httpclient.Client) error {
			_, err := c.ApplyDrift(t.Context(), []ports.DriftFinding{driftFinding("a")}, "")
			return err
		}, runtime.ErrOutcomeUnknown},
		"release": {func(c *httpclient.Client) error { return c.ReleaseBrake(t.Context(), "eu", "n1") }, runtime.ErrOutcomeUnknown},
	} {
		err := ask.call(client)
		require.Error(t, err, name)
		requireOnly(t, ask.sentinel, err)
		require.ErrorContains(t, err, "answered something else", name)
	}
	cut, requests := playing(t, quick(), stage.cut)
	requireOnly(t, runtime.ErrOutcomeUnknown, cut.ReleaseBrake(t.Context(), "eu", "n1"))
	require.EqualValues(t, 1, requests.Load(), "it is not repeated unasked")
	page, _ := playing(t, quick(), func(s stage) { page(s.w, http.StatusNotFound) })
	requireOnly(t, nil, page.ReleaseBrake(t.Context(), "eu", "n1"))
}
