package ports

import (
	"context"
	"iter"
	"time"
)

// Node is a daemon that takes part, as it says of itself.
type Node struct {
	Region string `json:"region"`
	Name   string `json:"name"`
	// API is the URL at which other nodes reach it.
	API     string `json:"api"`
	Version string `json:"version"`
	// Engine is what it runs games with; its Kind is empty for a node that runs none.
	Engine EngineCapabilities `json:"engine"`
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

// NodeRegistry tells who is there. Errors are those of RuntimeRecordStore.
type NodeRegistry interface {
	// Nodes returns every node that is present, ordered by region and name.
	Nodes(ctx context.Context) ([]Node, error)

	// WatchNodes yields the present nodes at once and again after every change,
	// until the consumer stops ranging, ctx ends, or an error, yielded beside nil,
	// ends the stream.
	WatchNodes(ctx context.Context) iter.Seq2[[]Node, error]

	// Leader returns the leader of the scope, and false if there is none.
	Leader(ctx context.Context, scope string) (Leader, bool, error)
}

// Leader is who leads a scope.
type Leader struct {
	Region string `json:"region"`
	Node   string `json:"node"`
	// Fence holds for as long as this leadership does.
	Fence Fence `json:"fence"`
}

// NodeSession is this daemon's own presence among the nodes.
type NodeSession interface {
	// Fence proves the presence to the store. It is false while there is none: not
	// joined yet, or lost; what was begun under one fence must not go on under another.
	Fence() (Fence, bool)
}

// Election runs work on one node at a time.
type Election interface {
	// Lead campaigns for the scope, runs work whenever it leads, and campaigns
	// again when that is over, until ctx ends. work gets a context that ends before
	// anybody else can lead, and a fence to write with; Lead waits for work to return.
	Lead(ctx context.Context, scope string, work func(ctx context.Context, fence Fence) error) error
}
