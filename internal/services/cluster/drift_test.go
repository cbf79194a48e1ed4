package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/services/cluster"
)

func finding(id, region, name string) drift.Finding {
	return drift.Finding{ID: id, GameID: "g", Region: region, Node: name, Action: drift.ActionMarkStopped, RecordRevision: 5, IntentRevision: 3}
}

func TestNodesHaveLeadersOfTheirRegions(t *testing.T) {
	t.Parallel()
	f := newFixture(&fakeLocal{})
	present, leaders, err := f.Nodes(t.Context())
	require.NoError(t, err)
	require.Len(t, present, 4)
	require.Equal(t, []node.Ref{ref("eu", "n2")}, leaders, "us has no leader")
}

func TestDriftMergesReportsInOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(&fakeLocal{drift: drift.Report{Findings: []drift.Finding{finding("b", "eu", "n1"), finding("a", "eu", "n1")}}})
	f.peer.nodes["n2"].drift = drift.Report{Findings: []drift.Finding{finding("c", "eu", "n2")}, Brakes: []drift.Brake{{Region: "eu", Node: "n2"}}}
	delete(f.peer.nodes, "u1")
	f.put(t, "lost", "ap", "absent", runtime.StatusRunning)
	report, err := f.Drift(t.Context())
	require.NoError(t, err)
	require.Equal(t, []drift.Finding{finding("a", "eu", "n1"), finding("b", "eu", "n1"), finding("c", "eu", "n2")}, report.Findings)
	require.Equal(t, []drift.Brake{{Region: "eu", Node: "n2"}}, report.Brakes)
	require.Len(t, report.Missing, 2)
	require.Equal(t, "ap/absent", report.Missing[0].Region+"/"+report.Missing[0].Node)
	require.Contains(t, report.Missing[0].Reason, "a record names it")
	require.Equal(t, "us/u1", report.Missing[1].Region+"/"+report.Missing[1].Node)
}

// Clients see the text of a local error only as Config.ErrorText returns it.
func TestDriftHidesInternalErrors(t *testing.T) {
	t.Parallel()
	f := newFixture(&fakeLocal{driftErr: errors.New("dial 10.0.0.7:2379")})
	s := cluster.New(cluster.Dependencies{Records: f.store, Nodes: f.registry, Local: f.local, Peer: f.peer}, cluster.Config{
		Region: "eu", Node: "n1", ErrorText: func(error) string { return "internal error" },
	})
	report, err := s.Drift(t.Context())
	require.NoError(t, err)
	require.Equal(t, []drift.UnreachableNode{{Region: "eu", Node: "n1", Reason: "internal error"}}, report.Missing)
}

// The log has the errors of this node, but not those of a client that has disconnected.
func TestDriftLogsLocalErrors(t *testing.T) {
	t.Parallel()
	f := newFixture(&fakeLocal{driftErr: errors.New("dial 10.0.0.7:2379")})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), canceled} {
		var log bytes.Buffer
		s := cluster.New(cluster.Dependencies{Records: f.store, Local: f.local}, cluster.Config{
			Region: "eu", Node: "n1", Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		s.ApplyDrift(ctx, []drift.Finding{finding("a", "eu", "n1")}, "ops", false)
		require.Equal(t, ctx.Err() == nil, log.Len() > 0, log.String())
	}
}

func TestApplyDriftUsesTheNodesOwnFindings(t *testing.T) {
	t.Parallel()
	current, changed := finding("current", "eu", "n1"), finding("changed", "eu", "n1")
	changed.RecordRevision++
	f := newFixture(&fakeLocal{drift: drift.Report{Findings: []drift.Finding{current, changed}}})
	f.peer.nodes["n2"].drift = drift.Report{Findings: []drift.Finding{finding("remote", "eu", "n2")}}
	forged := current
	forged.GameID = "other"
	results := f.ApplyDrift(t.Context(), []drift.Finding{
		finding("remote", "eu", "n2"), forged, finding("changed", "eu", "n1"), finding("missing", "eu", "n1"), finding("x", "eu", "n9"),
	}, "ops", false)
	statuses := make([]drift.ApplyStatus, len(results))
	for i, result := range results {
		statuses[i] = result.Status
	}
	require.Equal(t, []drift.ApplyStatus{drift.ApplyDone, drift.ApplyDone, drift.ApplyStale, drift.ApplyStale, drift.ApplyFailed}, statuses)
	require.Equal(t, []drift.Finding{current}, f.local.applied)

	forwarded := f.ApplyDrift(t.Context(), []drift.Finding{finding("remote", "eu", "n2")}, "ops", true)
	require.Equal(t, drift.ApplyFailed, forwarded[0].Status, "a forwarded request stays on this node")
}

func TestExplainComesFromTheGamesNode(t *testing.T) {
	t.Parallel()
	f := newFixture(&fakeLocal{explain: drift.Explanation{Logs: []string{"local"}}})
	f.peer.nodes["n2"].explain = drift.Explanation{Logs: []string{"remote"}}
	f.put(t, "far", "eu", "n2", runtime.StatusRunning)
	f.put(t, "lost", "eu", "n9", runtime.StatusRunning)
	for gameID, want := range map[string]string{"new": "local", "far": "remote", "lost": "local"} {
		explanation, err := f.Explain(t.Context(), gameID, false)
		require.NoError(t, err)
		require.Equal(t, []string{want}, explanation.Logs, gameID)
		require.Equal(t, gameID == "lost", len(explanation.Warnings) > 0, gameID)
	}
	_, err := f.Explain(t.Context(), "far", true)
	require.ErrorIs(t, err, node.ErrMisrouted)
}
