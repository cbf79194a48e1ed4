// Package cluster carries out requests about games and nodes on the node that they
// concern. The HTTP server decodes a request, calls this service and encodes the result;
// the service selects the node:
//
//	service.go   Service, and the interfaces of this node and of its peers
//	route.go     Route: the node that carries out an operation
//	growth.go    patches that request more of the node than the game holds
//	presence.go  present nodes, and contexts that end when a node leaves
//	nodes.go     Nodes: the present nodes and the leaders of their regions
//	explain.go   Explain: the explanation of a game, from its node
//	drift.go     Drift: the drift reports of all nodes, merged
//	remove_game.go  RemoveGame: stops and cleans up a game that is to be deleted
//	apply.go     ApplyDrift and ReleaseBrake, on the node of the finding or brake
//
// A request is forwarded at most once. This node carries out a request that another node
// has forwarded, or fails with node.ErrMisdirected. Addresses of nodes come from the node
// registry only.
package cluster
