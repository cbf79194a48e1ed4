package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// The leader of a region is paused for longer than its lease: its game is rescheduled to
// another node. When it continues, unaware of the pause, it removes its stale container
// of the game and changes nothing else.
func TestPausedLeaderDoesNoHarm(t *testing.T) {
	t.Parallel()
	store := startDaemonWith(t, "--engine", "none", "--region", "other")
	images := t.TempDir()
	buildGameImages(t, filepath.Join(images, "gameserver"))
	startNode := func(name string) *daemonProcess {
		return startDaemonWith(t, "--etcd-endpoints", store.etcd, "--engine", "process", "--images-dir", images, "--region", "eu", "--node", name,
			"--node-ttl", "5s", "--node-lost-grace", "100ms", "--reconcile-every", "200ms")
	}
	first := startNode("n1")
	requireEventually(t, func() bool { return leaderOf(t, store, "eu") == "n1" }, "the first node is the leader")
	second := startNode("n2")
	t.Cleanup(func() { stopGames(t, second, "g") })
	_, err := first.client.Execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: &operation.Spec{
		Image: "gameserver:1.0.0", OnNodeLost: operation.NodeLostReschedule,
	}}, nil)
	require.NoError(t, err)
	before := getRecord(t, store, "g")
	require.Equal(t, "n1", before.Node)

	require.NoError(t, first.cmd.Process.Signal(syscall.SIGSTOP))
	resume := func() { _ = first.cmd.Process.Signal(syscall.SIGCONT) }
	t.Cleanup(resume) // a paused process does not handle SIGTERM
	requireEventually(t, func() bool { return nodeOf(t, store, "g") == "n2" }, "the game runs on the second node")
	requireEventually(t, func() bool { return hasNoDrift(t, second) }, "no drift")
	after := getRecord(t, store, "g")
	require.Equal(t, runtime.StatusRunning, after.Status)
	require.Equal(t, before.Generation+1, after.Generation)
	require.Equal(t, "n2", leaderOf(t, store, "eu"))

	resume()
	requireEventually(t, func() bool {
		entries, err := os.ReadDir(filepath.Join(first.dir, "nodes", "eu", "n1", "containers"))
		return err == nil && len(entries) == 0
	}, "its stale container is removed")
	requireEventually(t, func() bool { return hasNoDrift(t, first) }, "the first node is present and has no drift")
	require.True(t, after.EqualExceptCondition(getRecord(t, store, "g")), "only the condition of the record may have changed")
	require.Equal(t, "n2", leaderOf(t, store, "eu"))
	history, err := store.client.History(t.Context(), "g")
	require.NoError(t, err)
	require.Len(t, history, 2, "the start, and the reschedule")
	report, err := store.client.Check(t.Context(), false)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	_, err = first.client.Execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindRestart}, nil)
	require.NoError(t, err, "it forwards the request to the second node")
}

func requireEventually(t *testing.T, condition func() bool, message string) {
	t.Helper()
	require.Eventually(t, condition, waitTimeout, 50*time.Millisecond, message)
}

func getRecord(t *testing.T, d *daemonProcess, gameID string) runtime.RuntimeRecord {
	t.Helper()
	record, err := d.client.Get(t.Context(), gameID)
	require.NoError(t, err)
	return record
}

// nodeOf returns the node of the game, empty if the daemon does not respond.
func nodeOf(t *testing.T, d *daemonProcess, gameID string) string {
	t.Helper()
	record, err := d.client.Get(t.Context(), gameID)
	if err != nil {
		return ""
	}
	return record.Node
}

// leaderOf returns the leader of the region, empty if the daemon does not respond.
func leaderOf(t *testing.T, d *daemonProcess, region string) string {
	t.Helper()
	nodes, err := d.client.Nodes(t.Context())
	if err != nil {
		return ""
	}
	for _, leader := range nodes.Leaders {
		if leader.Region == region {
			return leader.Name
		}
	}
	return ""
}

// hasNoDrift reports whether all nodes respond without findings.
func hasNoDrift(t *testing.T, d *daemonProcess) bool {
	t.Helper()
	report, err := d.client.Drift(t.Context())
	return err == nil && len(report.Findings) == 0
}

// stopGames stops and removes games, which would outlive the test.
func stopGames(t *testing.T, d *daemonProcess, games ...string) {
	for _, gameID := range games {
		for _, kind := range []operation.Kind{operation.KindStop, operation.KindCleanup} {
			_, err := d.client.Execute(context.WithoutCancel(t.Context()), ports.OperationRequest{GameID: gameID, Kind: kind}, nil)
			if !errors.Is(err, runtime.ErrNotFound) {
				require.NoError(t, err)
			}
		}
	}
}
