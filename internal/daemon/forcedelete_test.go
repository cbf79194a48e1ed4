package daemon_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// stopAndCleanUp are the operations that precede a forced deletion.
var stopAndCleanUp = []operation.Kind{operation.KindStop, operation.KindCleanup}

func operationOn(gameID string, kind operation.Kind) httpclient.Operation {
	return httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: gameID, Kind: kind}}
}

// A forced deletion stops and cleans up the game on its node, whichever daemon receives the request.
func TestForcedDeletion(t *testing.T) {
	t.Parallel()
	settings := nodeSettings(t, "n1", "n2")
	first, second := start(t, settings["n1"]), start(t, settings["n2"])
	forced := func(d *runningDaemon, gameID, id string) error {
		return d.client.ForceDelete(t.Context(), ports.DeleteInput{GameID: gameID, Origin: ports.Origin{Actor: "ada", OperationID: id}})
	}
	for _, gameID := range []string{"a", "b", "lost", "given-up"} {
		_, err := second.startGame(t, gameID, "n1")
		require.NoError(t, err)
	}
	require.ErrorIs(t, first.client.Delete(t.Context(), ports.DeleteInput{GameID: "a"}), operation.ErrRejected)
	require.NoError(t, forced(first, "a", "op-a"), "on the node of the game")
	require.NoError(t, forced(second, "b", "op-b"), "on another node")
	require.NoError(t, forced(second, "b", "op-b"), "a repeated request")
	require.ErrorIs(t, forced(second, "b", "op-other"), runtime.ErrNotFound)
	for _, gameID := range []string{"a", "b"} {
		_, err := second.client.GetVersioned(t.Context(), gameID)
		require.ErrorIs(t, err, runtime.ErrNotFound, gameID)
	}

	// A repeated request does not stop another game that has got the id since.
	_, err := second.startGame(t, "b", "n2")
	require.NoError(t, err)
	require.NoError(t, forced(second, "b", "op-b"))
	found, err := second.client.GetVersioned(t.Context(), "b")
	require.NoError(t, err)
	require.Equal(t, runtime.StatusRunning, found.Record.Status)

	require.NoError(t, first.stop())
	err = forced(second, "lost", "op-lost")
	var rejected *operation.RejectedError
	require.True(t, errors.As(err, &rejected), "%v", err)
	require.Contains(t, rejected.Reason, "node eu/n1 of the game is absent")
	require.Contains(t, rejected.Reason, "remove the node from the list of nodes first")
	require.NoError(t, second.client.RemoveNode(t.Context(), eu("n1"), true))
	require.NoError(t, forced(second, "given-up", "op-given-up"), "an operator has given up the games of the node")

	start(t, settings["n1"])
	require.NoError(t, forced(second, "lost", "op-lost-2"), "its node is present")
}

// A repeated request completes a deletion that ended between its steps.
func TestInterruptedForcedDeletion(t *testing.T) {
	t.Parallel()
	settings := nodeSettings(t, "n1")
	d := start(t, settings["n1"])
	for gameID, kinds := range map[string][]operation.Kind{
		"stopped": stopAndCleanUp[:1], "removed": stopAndCleanUp,
	} {
		_, err := d.startGame(t, gameID, "")
		require.NoError(t, err)
		for _, kind := range kinds {
			request := operationOn(gameID, kind)
			request.Origin.OperationID = operation.DeriveID("op-1", string(kind))
			_, err := d.client.RunOperation(t.Context(), request, nil)
			require.NoError(t, err)
		}
	}
	require.NoError(t, d.stop())
	d = start(t, settings["n1"])
	for _, gameID := range []string{"stopped", "removed"} {
		require.NoError(t, d.client.ForceDelete(t.Context(), ports.DeleteInput{GameID: gameID, Origin: ports.Origin{OperationID: "op-1"}}), gameID)
		_, err := d.client.GetVersioned(t.Context(), gameID)
		require.ErrorIs(t, err, runtime.ErrNotFound, gameID)
	}
}

// A game whose first start has failed has no record. It can be deleted.
func TestDeletionOfAFailedStart(t *testing.T) {
	t.Parallel()
	settings := nodeSettings(t, "n1", "n2")
	for _, cfg := range settings { // it exits before it is healthy
		require.NoError(t, os.WriteFile(filepath.Join(cfg.DataDir, "images", "game", "2"), []byte("#!/bin/sh\nexit 1\n"), 0o755))
	}
	first := start(t, settings["n1"])
	start(t, settings["n2"])
	for _, isForced := range []bool{false, true} {
		for _, name := range []string{"n1", "n2"} {
			request := operationOn("ghost", operation.KindStart)
			request.Spec, request.Node = &operation.Spec{Image: "game:2"}, name
			_, err := first.client.RunOperation(t.Context(), request, nil)
			require.Error(t, err)
			remove := first.client.Delete
			if isForced {
				remove = first.client.ForceDelete
			}
			require.NoError(t, remove(t.Context(), ports.DeleteInput{GameID: "ghost"}), name)
			require.ErrorIs(t, remove(t.Context(), ports.DeleteInput{GameID: "ghost"}), runtime.ErrNotFound, name)
		}
	}
}
