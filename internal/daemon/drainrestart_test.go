package daemon_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// crashingGame exits with an error once its directory has the file crash.
const crashingGame = `#!/bin/sh
while [ ! -e "$DIR/crash" ]; do sleep 0.02; done
exit 1
`

// A game that has crashed and waits for its restart is drained too: it would run on the drained node
// later. One whose crash policy restarts it no more stays.
func TestDrainOfGamesThatWaitForARestart(t *testing.T) {
	t.Parallel()
	settings := nodeSettings(t, "n1", "n2")
	for _, cfg := range settings {
		addImage(t, cfg, "3", crashingGame)
	}
	first, second := start(t, settings["n1"]), start(t, settings["n2"])
	crash := func(gameID string, attempts int) {
		t.Helper()
		dir := t.TempDir()
		spec := &operation.Spec{
			Image: "game:3", HealthPath: "none", Env: map[string]string{"DIR": dir}, OnNodeLost: operation.NodeLostReschedule,
			Crash: operation.CrashPolicy{Attempts: attempts, Delay: operation.Duration(10 * time.Minute)},
		}
		_, err := first.client.RunOperation(t.Context(), httpclient.Operation{
			OperationRequest: ports.OperationRequest{GameID: gameID, Kind: operation.KindStart, Spec: spec}, Node: "n1",
		}, nil)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "crash"), nil, 0o600))
		require.Eventually(t, func() bool {
			found, err := first.client.GetVersioned(t.Context(), gameID)
			return err == nil && found.Record.Status == runtime.StatusStopped
		}, timeout, 20*time.Millisecond)
	}
	crash("ended", 0)
	crash("restarting", 3)
	recordOf := func(gameID string) runtime.RuntimeRecord {
		t.Helper()
		found, err := second.client.GetVersioned(t.Context(), gameID)
		require.NoError(t, err)
		return found.Record
	}

	second.drain(t, "n1", node.DrainOptions{Timeout: time.Minute})
	require.Equal(t, 1, second.awaitDrain(t, "n1").MoveCount)
	require.Equal(t, "n1", recordOf("ended").Node)
	restarting := recordOf("restarting")
	require.Equal(t, "n2", restarting.Node)
	require.Equal(t, runtime.StatusRunning, restarting.DesiredStatus)

	second.drain(t, "n2", node.DrainOptions{Timeout: time.Minute, StopOnly: true})
	require.Equal(t, 1, second.awaitDrain(t, "n2").Stopped)
	require.Equal(t, runtime.StatusStopped, recordOf("restarting").DesiredStatus)
}
