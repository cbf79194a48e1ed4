package bench

import (
	"crypto/sha256"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// writerGame returns the id of the i-th game that a writer changes.
func writerGame(i int) string { return fmt.Sprintf("writer-%07d", i) }

// recordGame returns the id of the i-th loaded game.
func recordGame(i int) string { return fmt.Sprintf("game-%07d", i) }

// newRecord returns the i-th record to load. The first ones are of removed games, which
// list-by-status reads.
func newRecord(i, removed int) runtime.RuntimeRecord {
	rec := newRunningRecord(recordGame(i))
	if i < removed {
		rec.Status, rec.CurrentContainerID, rec.RemovedAt = runtime.StatusRemoved, "", rec.StartedAt
	}
	return rec
}

// newRunningRecord returns the record of a running game with realistic values in all
// fields, about 500 bytes of JSON.
func newRunningRecord(game string) runtime.RuntimeRecord {
	now := time.Now().UTC()
	return runtime.RuntimeRecord{
		GameID: game, Status: runtime.StatusRunning, Region: "eu-west", Node: "node-eu-west-01",
		CurrentContainerID: fmt.Sprintf("%x", sha256.Sum256([]byte(game))), // 64 characters, as Docker's ids
		CurrentImageRef:    "registry.example/games/engine:1.4.2",
		EngineEndpoint:     "http://10.0.0.1:7777", StatePath: "/var/lib/games/" + game, DockerNetwork: "games",
		Generation: 1, CreatedAt: now, LastOpAt: now, StartedAt: &now,
	}
}
