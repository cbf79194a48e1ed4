// Package node holds what the daemons of a cluster know of each other: a node,
// its identity, the leader of a scope, and the fence that proves a leadership or
// a presence inside a transaction.
package node
