// Package failover handles games whose node is lost. The nodes of a region elect a
// leader, and the leader reports such games as findings. A game whose policy is
// NodeLostReschedule is rescheduled to another node of the region, once its node has been
// absent for a grace period. If the region has none, it is rescheduled to the first region of
// its spec that has one.
//
// A region without a present node has no leader of its own. The leader of another region is
// its caretaker: it wins the same election, does the same work, and resigns when a node of the
// region is present.
//
//	worker.go       Worker: its configuration, its election and its passes
//	caretaker.go    caretaker: candidacies for regions without a present node
//	region.go       region: the leadership of one region
//	pass.go         a pass: find the lost games of a region and handle them
//	lostgames.go    the records of lost games state that their node is lost
//	intents.go      cached intents of lost games
//	interrupted.go  stopped games that would run if their node had not been lost
//
// Package placement selects the new node of a game.
package failover
