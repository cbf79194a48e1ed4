package main

import (
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var restoredGames = []string{"a", "b", "c"}

// execute runs an operation of a game without a health check.
func (d *daemonProcess) execute(kind operation.Kind, gameID string, spec *operation.Spec) {
	d.t.Helper()
	_, err := d.client.Execute(d.t.Context(), ports.OperationRequest{GameID: gameID, Kind: kind, Spec: spec}, nil)
	require.NoError(d.t, err, "%s %s", kind, gameID)
}

// games returns the records and the process ids of the restored games.
func (d *daemonProcess) games() (records map[string]runtime.RuntimeRecord, pids map[string]int) {
	d.t.Helper()
	records, pids = map[string]runtime.RuntimeRecord{}, map[string]int{}
	client := &http.Client{Timeout: waitTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, gameID := range restoredGames {
		record, err := d.client.Get(d.t.Context(), gameID)
		require.NoError(d.t, err)
		records[gameID], pids[gameID] = record, gamePID(client, record)
		require.Greater(d.t, pids[gameID], 1, "%s must respond", gameID)
	}
	return records, pids
}

// storeID returns the identity of the store.
func (d *daemonProcess) storeID() string {
	d.t.Helper()
	info, err := d.client.Info(d.t.Context())
	require.NoError(d.t, err)
	return info.ID
}

// requireNoDrift requires that records and engine agree, and that each game has one container.
func (d *daemonProcess) requireNoDrift() {
	d.t.Helper()
	require.EventuallyWithT(d.t, func(c *assert.CollectT) {
		report, err := d.client.Drift(d.t.Context())
		require.NoError(c, err)
		require.Empty(c, report.Findings)
		require.Empty(c, report.Missing)
		require.Empty(c, report.Brakes)
	}, waitTimeout, 50*time.Millisecond)
	for _, gameID := range restoredGames {
		page, err := d.client.Explain(d.t.Context(), gameID)
		require.NoError(d.t, err)
		require.Len(d.t, page.Containers, 1, gameID)
		require.Equal(d.t, page.Record.CurrentContainerID, page.Containers[0].ID)
	}
	report, err := d.client.Check(d.t.Context(), false)
	require.NoError(d.t, err)
	require.True(d.t, report.IsClean(), report)
}

// cleanUpGames stops the games and removes their containers.
func (d *daemonProcess) cleanUpGames() {
	d.t.Helper()
	for _, gameID := range restoredGames {
		d.execute(operation.KindStop, gameID, nil)
		d.execute(operation.KindCleanup, gameID, nil)
	}
}

// rtmanager runs a command and returns its output.
func rtmanager(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), runMainVariable+"=1")
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// A backup is restored next to live games, which continue to run, and on an empty machine,
// where the games are started from their stored specs.
func TestRestoreOfLiveGames(t *testing.T) {
	t.Parallel()
	flags := []string{"--engine", "process", "--region", "eu", "--node", "n1", "--node-ttl", "2s", "--reconcile-every", "500ms"}
	d := startDaemonWith(t, flags...)
	images := filepath.Join(d.dir, "images")
	buildGameImages(t, filepath.Join(images, "gameserver"))
	for _, gameID := range restoredGames {
		d.execute(operation.KindStart, gameID, &operation.Spec{Image: "gameserver:1.0.0", StopGrace: operation.Duration(time.Second)})
	}
	records, pids := d.games()
	store := d.storeID()
	snapshot := filepath.Join(t.TempDir(), "snapshot")
	output, err := rtmanager(t, "backup", snapshot, "--etcd-endpoints", d.etcd)
	require.NoError(t, err, output)
	d.killAfter(0)

	require.NoError(t, os.RemoveAll(filepath.Join(d.dir, "etcd")))
	require.NoError(t, os.Remove(filepath.Join(d.dir, "cluster.json")))
	content, err := os.ReadFile(snapshot)
	require.NoError(t, err)
	part := filepath.Join(t.TempDir(), "part")
	require.NoError(t, os.WriteFile(part, content[:len(content)/2], 0o600))
	output, err = rtmanager(t, "restore", "--from", part, "--data-dir", d.dir)
	require.Error(t, err, output)
	lines := serveFailure(t, d.dir)
	require.Contains(t, lines[len(lines)-1], "has no data of etcd, but 3 container(s) of games of node eu/n1")

	output, err = rtmanager(t, "restore", "--from", snapshot, "--data-dir", d.dir)
	require.NoError(t, err, output)
	d.start()
	require.Equal(t, store, d.storeID())
	restoredRecords, restoredPIDs := d.games()
	require.Equal(t, records, restoredRecords)
	require.Equal(t, pids, restoredPIDs, "the games continue to run")
	d.requireNoDrift()
	d.execute(operation.KindRestart, "a", nil)
	d.requireNoDrift()
	d.cleanUpGames()

	empty := &daemonProcess{t: t, dir: filepath.Join(t.TempDir(), "data"), flags: append(flags, "--images-dir", images)}
	output, err = rtmanager(t, "restore", "--from", snapshot, "--data-dir", empty.dir)
	require.NoError(t, err, output)
	empty.startFirst()
	require.Equal(t, store, empty.storeID())
	empty.requireMissingGames()
	require.NoError(t, empty.client.ReleaseBrake(t.Context(), "eu", "n1"))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		removed, err := empty.client.ListRecords(t.Context(), runtime.StatusRemoved)
		require.NoError(c, err)
		require.Len(c, removed, len(restoredGames))
	}, waitTimeout, 50*time.Millisecond)
	for _, gameID := range restoredGames {
		empty.execute(operation.KindStart, gameID, nil)
	}
	empty.games()
	empty.requireNoDrift()
	empty.cleanUpGames()
}

// requireMissingGames waits until each game is a finding whose action the brake blocks.
func (d *daemonProcess) requireMissingGames() {
	d.t.Helper()
	require.EventuallyWithT(d.t, func(c *assert.CollectT) {
		report, err := d.client.Drift(d.t.Context())
		require.NoError(c, err)
		require.Len(c, report.Brakes, 1)
		missing := map[string]drift.Finding{}
		for _, f := range report.Findings {
			if f.Kind == drift.KindMissing && f.BlockedBy != "" {
				missing[f.GameID] = f
			}
		}
		require.Equal(c, restoredGames, slices.Sorted(maps.Keys(missing)))
	}, waitTimeout, 50*time.Millisecond)
}
