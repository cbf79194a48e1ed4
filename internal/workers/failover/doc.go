// Package failover handles games whose node is lost. The nodes of a region elect a
// leader; the leader reports such games as findings, and reschedules those whose policy
// is NodeLostReschedule to another node of the region, once the node has been absent for
// a grace period.
//
//	worker.go       Worker: its configuration, its election and its loop
//	pass.go         Pass: find the lost games and handle them
//	interrupted.go  games that are stopped only because their node was lost in between
//
// Package placement selects the node that takes a game.
package failover
