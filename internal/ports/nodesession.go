package ports

import "galaxy/rtmanager/internal/domain/node"

// NodeSession is the presence of this daemon among the nodes. It is safe for concurrent
// use.
type NodeSession interface {
	// Fence returns the fence that proves this node's presence to the store. It returns
	// false while the node is not present: it has not joined yet, or it lost its session.
	// Work that started under one fence must not continue under another.
	Fence() (node.Fence, bool)
}
