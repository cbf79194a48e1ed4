package node

import "errors"

// Errors of nodes.
var (
	// ErrNodeUnreachable: the node that the game lives on, or should, is not there.
	ErrUnreachable = errors.New("node is not reachable")
)
