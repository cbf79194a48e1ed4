// Package placement selects the node that runs a game. There is one rule, for the
// first start of a game and for the failover of a game whose node is absent:
//
//  1. Only present nodes that run an engine, of the requested region, are candidates.
//  2. The candidates with the fewest recent failures come first.
//  3. Among those, a node that has the game's image precedes one that must pull it.
//  4. Among those, the node on which the game ran last precedes the others: it may have the
//     game's state.
//  5. Among those, the one with the fewest games is selected; games that are starting count.
//  6. Among equals, the preferred node, and otherwise the first by region and name.
//
// Select is that rule as a pure function (select.go). Scheduler counts the games for it
// (scheduler.go). A new criterion, such as labels or capacity, is a field of Request and an
// element of the rank. An attribute of a node that it needs is a field of node.Node if it
// rarely changes, and otherwise one of node.Offer, which the node reports on request.
package placement
