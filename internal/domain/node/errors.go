package node

import "errors"

// ErrUnreachable: the node that a game is or should be placed on does not respond.
var ErrUnreachable = errors.New("node is not reachable")
