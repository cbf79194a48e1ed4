package ports

import (
	"context"
	"iter"

	"galaxy/rtmanager/internal/domain/node"
)

// NodeRegistry tells who is there. Errors are those of RuntimeRecordStore.
type NodeRegistry interface {
	// Nodes returns every node that is present, ordered by region and name.
	Nodes(ctx context.Context) ([]node.Node, error)

	// WatchNodes yields the present nodes at once and again after every change,
	// until the consumer stops ranging, ctx ends, or an error, yielded beside nil,
	// ends the stream.
	WatchNodes(ctx context.Context) iter.Seq2[[]node.Node, error]

	// Leader returns the leader of the scope, and false if there is none.
	Leader(ctx context.Context, scope string) (node.Leader, bool, error)
}

// NodeSession is this daemon's own presence among the nodes.
type NodeSession interface {
	// Fence proves the presence to the store. It is false while there is none: not
	// joined yet, or lost; what was begun under one fence must not go on under another.
	Fence() (node.Fence, bool)
}

// Election runs work on one node at a time.
type Election interface {
	// Lead campaigns for the scope, runs work whenever it leads, and campaigns
	// again when that is over, until ctx ends. work gets a context that ends before
	// anybody else can lead, and a fence to write with; Lead waits for work to return.
	Lead(ctx context.Context, scope string, work func(ctx context.Context, fence node.Fence) error) error
}
