// Package node describes the nodes of a cluster. A node is a daemon with its engine. It is
// present while the session of its daemon lasts, and absent otherwise. An absent node on
// which games are placed is lost. A node is unreachable if it is absent or does not
// respond.
//
//	node.go      Node: a present node; Leader: the leader of a scope
//	ref.go       Ref: the name of a node, region and name
//	overview.go  Overview: the nodes of a registry, present and absent
//	region.go    RegionState: the nodes of one region
//	resources.go Capacity, Usage, Resources: what a node has, and what games use and request
//	taint.go     Taint, Toleration: which games a node keeps off
//	placement.go Decision: why a node was selected for a game, or none
//	settings.go  Settings: what operators set, such as a cordon; Maintenance: all settings
//	drain.go     Drain: a drain with its progress
//	offer.go     Offer: how well a node could run a game
//	fence.go     Fence: the proof of a leadership or a session inside a transaction
//	errors.go    requests that cannot reach a node, or reached the wrong one
//
// A new attribute of a node is a field of Node. Its daemon sets it (newNode in package
// daemon), and package etcdmembers stores it as JSON.
package node
