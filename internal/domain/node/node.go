package node

import (
	"time"

	"galaxy/rtmanager/internal/domain/container"
)

// Node is a daemon that takes part, as it says of itself.
type Node struct {
	Region string `json:"region"`
	Name   string `json:"name"`
	// API is the URL at which other nodes reach it.
	API     string `json:"api"`
	Version string `json:"version"`
	// Engine is the engine that runs its games; empty for a node that runs none.
	Engine container.EngineKind `json:"engine"`
	// Instance is the identity of the daemon's process, Identity that of the node:
	// the same for every daemon that works on the same data directory.
	Instance  string    `json:"instance"`
	Identity  string    `json:"identity"`
	StartedAt time.Time `json:"started_at"`
	// Now is the node's clock when it last wrote this, for seeing clocks that
	// differ; nothing is decided by it.
	Now time.Time `json:"now"`
	// Session is the create revision of its presence; it is not stored.
	Session int64 `json:"session"`
}

// Leader is who leads a scope.
type Leader struct {
	Region string `json:"region"`
	Node   string `json:"node"`
	// Fence holds for as long as this leadership does.
	Fence Fence `json:"fence"`
}
