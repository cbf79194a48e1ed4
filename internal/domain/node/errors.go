package node

import (
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Errors of nodes.
var (
	// ErrUnreachable reports that a node cannot be called: it is absent, or does not
	// respond. UnreachableError names it.
	ErrUnreachable = errors.New("node is not reachable")

	// ErrMisrouted reports that a forwarded request reached a node on which the game is
	// not placed. MisdirectedError names both nodes.
	ErrMisrouted = errors.New("request was forwarded to the wrong node")

	// ErrNoEngine reports that this daemon runs no games.
	ErrNoEngine = errors.New("this daemon runs no engine; send the request to a daemon that does")

	// ErrNotMember reports that this daemon is not part of a cluster of nodes.
	ErrNotMember = errors.New("this daemon is not part of a cluster, so it knows no nodes")
)

// UnknownError names a node that the list of nodes does not have. It errors.Is
// runtime.ErrNotFound.
type UnknownError struct{ Node Ref }

func (e *UnknownError) Error() string { return "no such node: " + e.Node.String() }

// Is reports whether target is runtime.ErrNotFound.
func (e *UnknownError) Is(target error) bool { return target == runtime.ErrNotFound }

// UnreachableError names the node that cannot be called, and why. It errors.Is
// ErrUnreachable.
type UnreachableError struct {
	Node   Ref // zero if no suitable node is present at all
	Reason string
	// Network reports that the node is present, but does not respond at its address.
	Network bool
}

// Error returns the node and the reason.
func (e *UnreachableError) Error() string {
	if e.Node.Name == "" {
		return fmt.Sprintf("%s: %s", ErrUnreachable, e.Reason)
	}
	return fmt.Sprintf("%s: %s %s", ErrUnreachable, e.Node, e.Reason)
}

// Is reports whether target is ErrUnreachable.
func (e *UnreachableError) Is(target error) bool { return target == ErrUnreachable }

// MisroutedError names the node of a game, and the node to which the request was
// forwarded. It errors.Is ErrMisdirected.
type MisroutedError struct {
	GameID string // empty if the request is about a node
	Node   Ref    // the node to which the request belongs
	Local  Ref    // the node that received the request
}

// Error returns both nodes.
func (e *MisroutedError) Error() string {
	return fmt.Sprintf("the request belongs to node %s and this is node %s; the game may have moved: retry", e.Node, e.Local)
}

// Is reports whether target is ErrMisdirected.
func (e *MisroutedError) Is(target error) bool { return target == ErrMisrouted }
