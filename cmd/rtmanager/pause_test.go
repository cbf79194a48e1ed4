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

// The node that leads its region stands still for longer than its lease lasts: its game
// is started elsewhere. When it moves again, not knowing that it was away, it clears
// away what it has of the game, and changes nothing else.
func TestPausedLeaderDoesNoHarm(t *testing.T) {
	t.Parallel()
	store := startDaemonWith(t, "--engine", "none", "--region", "hub")
	images := t.TempDir()
	buildSoakImages(t, filepath.Join(images, "gameserver"))
	join := func(name string) *daemonProcess {
		return startDaemonWith(t, "--etcd-endpoints", store.etcd, "--engine", "process", "--images-dir", images, "--region", "eu", "--node", name,
			"--node-ttl", "5s", "--node-lost-grace", "100ms", "--reconcile-every", "200ms")
	}
	old := join("n1")
	eventually(t, "the first node leads", func() bool { return leaderOf(t, store, "eu") == "n1" })
	heir := join("n2")
	t.Cleanup(func() { stopGames(t, heir, "g") })
	_, err := old.client.Execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: &operation.Spec{
		Image: "gameserver:1.0.0", OnNodeLost: operation.NodeLostReschedule,
	}}, nil)
	require.NoError(t, err)
	before := mustGet(t, store, "g")
	require.Equal(t, "n1", before.Node)

	require.NoError(t, old.cmd.Process.Signal(syscall.SIGSTOP))
	resume := func() { _ = old.cmd.Process.Signal(syscall.SIGCONT) }
	t.Cleanup(resume) // or it could not be stopped
	eventually(t, "the game runs elsewhere", func() bool { return nodeOf(t, store, "g") == "n2" })
	eventually(t, "nothing is left to do", func() bool { return settled(t, heir) })
	after := mustGet(t, store, "g")
	require.Equal(t, runtime.StatusRunning, after.Status)
	require.Equal(t, before.Generation+1, after.Generation)
	require.Equal(t, "n2", leaderOf(t, store, "eu"))

	resume()
	eventually(t, "its own container is cleared away", func() bool {
		left, err := os.ReadDir(filepath.Join(old.dir, "nodes", "eu", "n1", "containers"))
		return err == nil && len(left) == 0
	})
	eventually(t, "it is a node again, of which nothing is left to do", func() bool { return settled(t, old) })
	require.Equal(t, after, mustGet(t, store, "g"), "the record has not been touched")
	require.Equal(t, "n2", leaderOf(t, store, "eu"))
	history, err := store.client.History(t.Context(), "g")
	require.NoError(t, err)
	require.Len(t, history, 2, "the start, and the reschedule")
	report, err := store.client.Check(t.Context(), false)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	_, err = old.client.Execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindRestart}, nil)
	require.NoError(t, err, "it passes on what is the other's")
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, patience, 50*time.Millisecond, what)
}

func mustGet(t *testing.T, d *daemonProcess, gameID string) runtime.RuntimeRecord {
	t.Helper()
	record, err := d.client.Get(t.Context(), gameID)
	require.NoError(t, err)
	return record
}

// nodeOf returns where the game lives, empty where the daemon does not answer.
func nodeOf(t *testing.T, d *daemonProcess, gameID string) string {
	t.Helper()
	record, err := d.client.Get(t.Context(), gameID)
	if err != nil {
		return ""
	}
	return record.Node
}

// leaderOf returns who leads the region, empty where the daemon does not answer.
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

// settled reports whether all nodes answer and propose nothing.
func settled(t *testing.T, d *daemonProcess) bool {
	t.Helper()
	report, err := d.client.Drift(t.Context())
	return err == nil && len(report.Findings) == 0
}

// stopGames ends what would outlive the test.
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
