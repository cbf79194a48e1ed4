package daemon_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/rollout"
)

// startRollout starts a rollout of all games to game:2 as the caller.
func (c caller) startRollout(t *testing.T, d *runningDaemon) string {
	t.Helper()
	status, text := c.send("POST", d.API+"/v1/rollouts", `{"image":"game:2","all":true,"force":true,"max_parallel":1,"pause_on_failure":true}`, "Content-Type: application/json")
	require.Equal(t, 201, status, text)
	var started api.RolloutStarted
	require.NoError(t, json.Unmarshal([]byte(text), &started))
	return started.Rollout.ID
}

// awaitRollout waits until the rollout is in the state, and returns it.
func (c caller) awaitRollout(t *testing.T, d *runningDaemon, id string, state rollout.State) (found api.RolloutDetail) {
	t.Helper()
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		_, text := c.send("GET", d.API+"/v1/rollouts/"+id, "")
		require.NoError(t, json.Unmarshal([]byte(text), &found))
		require.Equal(t, state, found.State, text)
		require.Zero(t, found.Counts.InProgress)
	}, timeout, 50*time.Millisecond)
	return found
}

// A rollout changes the games of all nodes in the name of its user, whichever node leads.
func TestRolloutsActForTheirUser(t *testing.T) {
	t.Parallel()
	p := startSecuredPair(t, func(cfg *config.Config) {
		image := filepath.Join(cfg.DataDir, "images", "game", "2")
		require.NoError(t, os.WriteFile(image, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755))
	})
	admin, operator := p.admin(t), p.newToken(t, "ops", "operator")
	for i, d := range []*runningDaemon{p.first, p.second} {
		status, text := admin.send("POST", fmt.Sprintf("%s/v1/runtimes/g%d/start", d.API, i+1), `{"image":"game:1","health_path":"none"}`, "Content-Type: application/json")
		require.Equal(t, 200, status, text)
	}
	id := operator.startRollout(t, p.first)
	completed := operator.awaitRollout(t, p.second, id, rollout.StateCompleted)
	require.Equal(t, 2, completed.Counts.Updated, "%+v", completed.Games)
	for i := range 2 {
		_, text := admin.send("GET", fmt.Sprintf("%s/v1/runtimes/g%d/history", p.first.API, i+1), "")
		require.Contains(t, text, `"actor":"token:ops"`)
		require.Contains(t, text, `"reason":"rollout `+id)
	}

	// The undo of another user continues what the revoked one has started.
	status, text := admin.send("DELETE", p.first.API+"/v1/tokens/ops", "")
	require.Equal(t, 204, status, text)
	status, text = admin.send("POST", p.second.API+"/v1/rollouts/"+id+"/undo", "")
	require.Equal(t, 200, status, text)
	admin.awaitRollout(t, p.first, id, rollout.StateUndone)
}
