// Package placement selects the node that runs a game. There is one rule, for the
// first start of a game and for the failover of a game whose node is absent:
//
//  1. Only present nodes that run an engine, of the requested region, are candidates.
//  2. A node is excluded if it is cordoned, has no space for what the game requests, lacks a label of its node
//     selector, or has a NoSchedule taint that it does not tolerate.
//  3. The candidates with the fewest recent failures come first.
//  4. Among those, a node that lacks the game's image and cannot pull it comes last.
//  5. Among those, the one with the fewest PreferNoSchedule taints precedes the others.
//  6. Among those, the node on which the game ran last precedes the others: it may have the
//     game's state.
//  7. Among those, the nodes come first whose value of the label by which the game is spread has the fewest
//     games of its group.
//  8. Among those, the node with the lowest share in use is selected, and otherwise the one
//     with the fewest games; to pack, the most. An image that must be pulled counts as one
//     game.
//  9. Among equals, the preferred node, and otherwise the first by region and name.
//
// candidates.go has rule 2, spread.go counts for rule 7, and select.go has the others, as pure functions. A Scheduler
// (scheduler.go) counts what the games of each node use, and reserves the selected node by
// compare-and-swap, so that several daemons together place no more games on a node than it has
// space for. A reservation ends with its operation: the node's Releaser (release.go) removes it. One
// whose operation never arrived expires. localReservations (local.go) are those of a daemon without
// a cluster.
//
// A start that fails on its node for a reason of the node continues on the next one, which Placer
// (placer.go) selects; offers.go requests what the nodes report of themselves.
//
// A new criterion is a field of Request and an element of the rank, or a reason in exclusion. An
// attribute of a node that it needs is a field of node.Node if it rarely changes, and otherwise one
// of node.Offer, which the node reports on request.
package placement
