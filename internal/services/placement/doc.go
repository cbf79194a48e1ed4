// Package placement selects the node that runs a game. There is one rule, for the
// first start of a game and for the failover of a game whose node is absent:
//
//  1. Only present nodes that run an engine, of the requested region, are candidates.
//  2. The candidates on which the game failed the fewest times come first.
//  3. Among those, the one with the fewest running games is selected.
//  4. Among equals, the first by region and name.
//
// Select is that rule as a pure function. Scheduler counts the running games for it.
// A further criterion, such as labels, capacity or images that a node has already,
// is a field of Request and a step of Select.
package placement
