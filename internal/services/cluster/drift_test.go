package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/services/cluster"
)

func finding(id, region, name string) drift.Finding {
	return drift.Finding{ID: id, GameID: "g", Region: region, Node: name, Action: drift.ActionMarkStopped, RecordRevision: 5, IntentRevision: 3}
}

func TestNodesHaveLeadersOfTheirRegions(t *testing.T) {
	t.Parallel()
	f := newFixture(&fakeLocal{})
	nodes, err := f.Nodes(t.Context())
	require.NoError(t, err)
	require.Len(t, nodes.Items, 4)
	require.Equal(t, []node.Ref{ref("eu", "n2")}, nodes.Leaders, "us has no leader")
	require.EqualValues(t, 1, f.registry.requests.Load(), "one round trip")
}

// Lost and stopped nodes stay listed, with their games, until they are removed.
func TestAbsentNodesAreListed(t *testing.T) {
	t.Parallel()
	f := newFixture(&fakeLocal{})
	f.registry.absent = []node.Absent{
		{Node: engineNode("ap", "lost"), LostAt: noon}, {Node: engineNode("ap", "stopped"), StoppedAt: noon},
	}
	f.put(t, "g1", "ap", "lost", runtime.StatusRunning)
	f.put(t, "g2", "zz", "unknown", runtime.StatusRunning)
	nodes, err := f.Nodes(t.Context())
	require.NoError(t, err)
	require.Len(t, nodes.Items, 7)
	lost, stopped, unknown := nodes.Items[0], nodes.Items[1], nodes.Items[6]
	require.Equal(t, node.Member{Node: engineNode("ap", "lost"), Status: node.StatusLost, Since: noon, Games: 1}, lost)
	require.Equal(t, node.Member{Node: engineNode("ap", "stopped"), Status: node.StatusStopped, Since: noon}, stopped)
	require.Equal(t, node.Member{Node: node.Node{Region: "zz", Name: "unknown"}, Status: node.StatusLost, Games: 1}, unknown)

	require.ErrorIs(t, f.RemoveNode(t.Context(), ref("eu", "n2"), true), operation.ErrRejected, "the node is present")
	require.ErrorIs(t, f.RemoveNode(t.Context(), ref("ap", "lost"), false), operation.ErrRejected, "a record names it")
	require.NoError(t, f.RemoveNode(t.Context(), ref("ap", "lost"), true))
	require.NoError(t, f.RemoveNode(t.Context(), ref("ap", "stopped"), false))
	require.Equal(t, []node.Ref{ref("ap", "lost"), ref("ap", "stopped")}, f.registry.removed)
}

// A clock is reported if it certainly differs: the stored time may be a minute old.
func TestClocksThatDifferAreReported(t *testing.T) {
	t.Parallel()
	f := newFixture(&fakeLocal{})
	fast, slow, right := engineNode("eu", "a"), engineNode("eu", "b"), engineNode("eu", "c")
	fast.Now, slow.Now, right.Now = time.Now().Add(10*time.Minute), time.Now().Add(-10*time.Minute), time.Now().Add(-time.Minute)
	f.registry.set(fast, slow, right)
	nodes, err := f.Nodes(t.Context())
	require.NoError(t, err)
	require.InDelta(t, 10*time.Minute, nodes.Items[0].ClockOffset, float64(time.Minute))
	require.InDelta(t, -8*time.Minute, nodes.Items[1].ClockOffset, float64(2*time.Minute))
	require.Zero(t, nodes.Items[2].ClockOffset)
}

// A daemon without an engine, and one that cannot reach the game's node, explain what the
// store knows.
func TestExplainWithoutEngine(t *testing.T) {
	t.Parallel()
	f := newFixture(nil)
	f.put(t, "lost", "ap", "absent", runtime.StatusRunning)
	stored := &fakeLocal{explain: drift.Explanation{Revision: 7}}
	s := cluster.New(cluster.Dependencies{Records: f.store, Nodes: f.registry, Peer: f.peer, Stored: stored}, cluster.Config{Region: "eu", Node: "bare"})
	page, err := s.Explain(t.Context(), "lost", false)
	require.NoError(t, err)
	require.EqualValues(t, 7, page.Revision)
	require.Contains(t, page.Warnings[0], "ap/absent is not among the present nodes")
	page, err = s.Explain(t.Context(), "without record", false)
	require.NoError(t, err)
	require.Contains(t, page.Warnings[0], "runs no engine")
}

// panickingLocal panics in the goroutine of a request to all nodes.
type panickingLocal struct{ *fakeLocal }

func (panickingLocal) Drift(context.Context) (drift.Report, error) { panic("broken") }

func TestPanicOfOneNodeIsAnError(t *testing.T) {
	t.Parallel()
	f := newFixture(&fakeLocal{})
	s := cluster.New(cluster.Dependencies{Records: f.store, Nodes: f.registry, Local: panickingLocal{f.local}, Peer: f.peer}, cluster.Config{Region: "eu", Node: "n1"})
	report, err := s.Drift(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Missing, 1)
	require.Contains(t, report.Missing[0].Reason, "internal error")
	results := s.ApplyDrift(t.Context(), []drift.Finding{finding("a", "eu", "n1")}, "", false)
	require.Equal(t, drift.ApplyFailed, results[0].Status)
}

func TestDriftMergesReportsInOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(&fakeLocal{drift: drift.Report{Findings: []drift.Finding{finding("b", "eu", "n1"), finding("a", "eu", "n1")}}})
	f.peer.nodes["n2"].drift = drift.Report{Findings: []drift.Finding{finding("c", "eu", "n2")}, Brakes: []drift.Brake{{Region: "eu", Node: "n2"}}}
	delete(f.peer.nodes, "u1")
	f.put(t, "lost", "ap", "absent", runtime.StatusRunning)
	report, err := f.Drift(t.Context())
	require.NoError(t, err)
	require.Equal(t, []drift.Finding{finding("a", "eu", "n1"), finding("b", "eu", "n1"), finding("c", "eu", "n2")}, report.Findings[1:])
	require.Equal(t, drift.KindNodeLost, report.Findings[0].Kind)
	require.Contains(t, report.Findings[0].Evidence, "node ap/absent of the game is absent, and no node of region ap is present")
	require.EqualValues(t, 1, f.registry.requests.Load(), "one round trip before the reports")
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
	forged, otherGame := current, current
	forged.ContainerID, otherGame.GameID = "other", "other"
	results := f.ApplyDrift(t.Context(), []drift.Finding{
		finding("remote", "eu", "n2"), forged, finding("changed", "eu", "n1"), finding("missing", "eu", "n1"), otherGame, finding("x", "eu", "n9"),
	}, "ops", false)
	statuses := make([]drift.ApplyStatus, len(results))
	for i, result := range results {
		statuses[i] = result.Status
	}
	require.Equal(t, []drift.ApplyStatus{drift.ApplyDone, drift.ApplyDone, drift.ApplyStale, drift.ApplyStale, drift.ApplyStale, drift.ApplyFailed}, statuses)
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
		require.Empty(t, explanation.Findings, "without a record in the explanation")
	}
}

// The cache names the wrong node of a game that has moved. The record decides.
func TestExplainOfAStaleLocation(t *testing.T) {
	t.Parallel()
	record := runtime.RuntimeRecord{GameID: "moved", Region: "eu", Node: "n2"}
	f := newFixture(&fakeLocal{explain: drift.Explanation{Record: &record, Logs: []string{"local"}}})
	f.peer.nodes["n2"].explain = drift.Explanation{Logs: []string{"remote"}}
	f.put(t, "moved", "eu", "n1", runtime.StatusRunning) // this node
	explanation, err := f.Explain(t.Context(), "moved", false)
	require.NoError(t, err)
	require.Equal(t, []string{"remote"}, explanation.Logs)

	_, err = f.Explain(t.Context(), "moved", true)
	require.ErrorIs(t, err, node.ErrMisrouted)
}
