// Package cluster carries out requests about games and nodes on whichever node of the
// cluster they concern. The HTTP server decodes a request, calls this service and
// encodes the result; the service decides where the work is done:
//
//	route.go     which node carries out an operation
//	presence.go  the node of a name, and contexts that end when a node leaves
//	nodes.go     the present nodes and the leaders of their regions
//	explain.go   what is known of one game, from the node it lives on
//	drift.go     the drift reports of all nodes, merged
//	apply.go     findings applied, and brakes released, by their own nodes
//
// A request goes to another node at most once: a request that was forwarded already is
// carried out here, or fails with node.ErrMisdirected. Addresses of nodes
// come from the node registry only.
package cluster
