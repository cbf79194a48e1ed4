// Package node describes the nodes of a cluster. A node is a daemon with its engine.
//
//	node.go    Node: a present node; Leader: the leader of a scope
//	ref.go     Ref: the name of a node, region and name
//	fence.go   Fence: the proof of a leadership or a session inside a transaction
//	errors.go  requests that cannot reach a node, or reached the wrong one
//
// A new attribute of a node is a field of Node. Its daemon sets it (newNode in package
// daemon), and package etcdmembers stores it as JSON.
package node
