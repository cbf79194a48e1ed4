package main

import (
	"os"
	"path/filepath"
	"time"
)

// heartbeatInterval is the time between two heartbeats.
const heartbeatInterval = 100 * time.Millisecond

// writeHeartbeats modifies the file heartbeat in HOME while the game is healthy, until the
// process exits.
func (g *game) writeHeartbeats() {
	name := filepath.Join(os.Getenv("HOME"), "heartbeat")
	for range time.Tick(heartbeatInterval) {
		g.mu.Lock()
		isHung := g.hung != nil
		g.mu.Unlock()
		if isHung || g.options.isNeverHealthy || time.Since(g.started) < g.options.healthyAfter {
			continue
		}
		if err := os.WriteFile(name, []byte("ok\n"), 0o600); err != nil {
			g.logf("heartbeat: %v", err)
		}
	}
}
