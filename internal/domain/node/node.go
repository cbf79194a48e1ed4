package node

import (
	"time"

	"galaxy/rtmanager/internal/domain/container"
)

// Node is a present daemon, as it describes itself.
type Node struct {
	Region string `json:"region"`
	Name   string `json:"name"`
	// API is the base URL of the daemon's API for other nodes.
	API     string `json:"api"`
	Version string `json:"version"`
	// Engine is the kind of engine that runs the games. It is empty for a node without
	// an engine.
	Engine container.EngineKind `json:"engine"`
	// Instance identifies the process of the daemon. Identity identifies the data
	// directory: it is the same for every daemon on it, also under another name.
	Instance  string    `json:"instance"`
	Identity  string    `json:"identity"`
	StartedAt time.Time `json:"started_at"`
	// Now is the time of the node's clock when it joined. An operator can see from it that
	// clocks differ; no decision depends on it.
	Now time.Time `json:"now"`
	// Capacity limits what the games of the node use together. It is zero for a node of an
	// earlier version, which has no limits.
	Capacity Capacity `json:"capacity,omitzero"`
	// Labels are what the node selectors of games match. Taints keep games off that do not
	// tolerate them.
	Labels map[string]string `json:"labels,omitempty"`
	Taints []Taint           `json:"taints,omitempty"`
	// PublicAddress is the IP address or DNS name at which players reach the games of the node;
	// empty if it is not set. GamePorts is the range of its ports for players, FIRST-LAST; empty
	// if it has none.
	PublicAddress string `json:"public_address,omitempty"`
	GamePorts     string `json:"game_ports,omitempty"`
	// Session is the create revision of the node's key. It is not stored.
	Session int64 `json:"session"`
	// Settings are those that operators have set. They are not stored with the node.
	Settings Settings `json:"settings,omitzero"`
}

// Leader is the leader of a region: one of its nodes, or the caretaker of a region without a
// present node, which leads another region.
type Leader struct {
	// Scope is the region that is led.
	Scope string `json:"scope"`
	// Region and Node name the node that leads.
	Region string `json:"region"`
	Node   string `json:"node"`
	// Fence is valid for as long as this leadership lasts.
	Fence Fence `json:"fence"`
}
