// Package placement selects the node that runs a game. There is one rule, for the
// first start of a game and for the failover of a game whose node is absent:
//
//  1. Only present nodes that run an engine, of the requested region, are candidates.
//  2. The candidates on which the game failed the fewest times come first.
//  3. Among those, the one with the fewest running games is selected.
//  4. Among equals, the first by region and name.
//
// Select is that rule as a pure function (select.go). Scheduler counts the running games
// for it (scheduler.go). A new criterion, such as labels, capacity or the images of a
// node, is a field of Request and a comparison in Select. An attribute of a node that it
// needs is a field of node.Node.
package placement
