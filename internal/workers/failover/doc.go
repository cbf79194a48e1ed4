// Package failover handles games whose node is lost. The nodes of a region elect a
// leader, and the leader reports such games as findings. A game whose policy is
// NodeLostReschedule is rescheduled to another node of the region, once its node has been
// absent for a grace period.
//
//	worker.go       Worker: its configuration, its election and its loop
//	pass.go         Pass: find the lost games and handle them
//	interrupted.go  stopped games that would run if their node had not been lost
//
// Package placement selects the new node of a game.
package failover
