// Package reconcile keeps the records of one node consistent with its engine.
//
//	sources                                 work                       actions
//	───────                                 ────                       ───────
//	watch of the records ─┐
//	events of the engine ─┤                                        ┌─► record: write it
//	health worker ────────┼─► Queue ─► observe ─► drift.Detect ─► handleFinding
//	Pass, every Interval ─┤      ▲                                 ├─► starts:   restart or complete an operation
//	releases, Apply ──────┘      └── requeue, with backoff ◄───────┴─► removals: stop and remove a container
//
// The sources add only the ID of a game to the queue. A worker that takes the game from
// the queue observes its current state and decides by that. Every write has the observed
// revisions as preconditions, so a decision on stale data changes nothing. Events may be
// lost: Pass observes everything that concerns the node, and enqueues each game with a
// finding.
//
// Actions that can take long have queues and workers of their own (starts, handovers,
// removals), so that they delay neither observations nor each other: handovers has the moves
// that another node handed over. Three guards delay or block an
// action:
//   - the stabilization delay: a finding must be observed for some time first;
//   - the brake, a circuit breaker for removals: if too many games would lose their record
//     or container at once, nothing is removed until an operator releases the brake;
//   - the guard against an empty engine: an engine that lists no container at all is
//     assumed to be faulty.
//
// Files:
//
//	worker.go          Worker: its configuration, goroutines and queues
//	queue.go           Queue: the entry for all sources
//	pass.go            Pass: observe all games of the node
//	reconcile_game.go  reconcileGame: observe one game and handle its findings
//	local.go           the same without a read, if there is nothing to do
//	engineaway.go      engineAbsence: how long the engine has not responded
//	condition.go       the condition of a record, which follows the observations
//	actions.go         actions, their delays and the queues of slow ones
//	emptyengine.go     the guard against an empty engine
//	brake.go           the brake
//	report.go          Report, Apply and ReleaseBrake for the API
//
// A new source calls Queue.Enqueue, as packages events and health do. Package drift
// documents how to add a kind of finding or an action.
package reconcile
