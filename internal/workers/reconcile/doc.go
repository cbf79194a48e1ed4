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
// The sources add only the ID of a game to the queue. What to do is decided when a
// worker takes the game from the queue, by the state that it observes then. Every write
// names the revisions that were observed, so a decision on old data changes nothing.
// Events may be lost: Pass observes everything that concerns the node, and enqueues each
// game with a finding.
//
// Actions that can take long have queues and workers of their own (starts, removals), so
// that they delay no observation and not each other. Three guards delay or block an
// action:
//   - the stabilization delay: a finding must be observed for some time first;
//   - the brake: if too many games would lose their record or container at once, nothing
//     is removed until an operator releases the brake;
//   - the guard against an empty engine: an engine that lists no container at all is
//     assumed to be faulty.
//
// Files:
//
//	worker.go          Worker: its configuration, goroutines and queues
//	queue.go           Queue: the entry for all sources
//	pass.go            Pass: one observation of everything
//	reconcile_game.go  reconcileGame: observe one game and handle its findings
//	actions.go         actions, their delays and the queues of slow ones
//	emptyengine.go     the guard against an empty engine
//	brake.go           the brake
//	report.go          Report, Apply and ReleaseBrake for the API
package reconcile
