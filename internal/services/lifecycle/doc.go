// Package lifecycle runs the lifecycle operations on the games of one node: start, stop,
// restart, patch and cleanup, the rescheduling of games from lost nodes, and the
// remediation of drift. It depends on ports only, not on an engine or a store.
//
// A start passes through these files:
//
//  1. admit.go: Execute validates the request (request.go). lockGame locks the game in
//     this process. A request for a locked game joins its operation, or fails with
//     ErrBusy.
//  2. build_intent.go, plan.go: buildIntent checks that no operation is in progress, reads
//     the state of the record's container, and plans the operation. persistIntent
//     (admit.go) stores the intent with the operation at its first step. That write has the
//     fence of this daemon's session and the version of the intent as preconditions.
//  3. execution.go: start runs the operation in a goroutine of its own, under the
//     lifetime of the service. The caller receives the progress reports of the
//     activeOperation (active.go) and may leave at any time.
//  4. steps.go: startGame runs the steps pulling, creating, starting, awaiting_health and
//     removing. runStep (stored_operation.go) stores a step before the daemon calls
//     the engine (container.go); runUnstoredStep only reports one.
//  5. status_write.go: setStatus writes the record as a compare-and-swap. The write has
//     an operation ID derived from the operation's, so that it is applied once.
//  6. health.go: awaitHealth waits until the health check passes.
//  7. outcome.go: finish stores the outcome and clears Intent.Current.
//
// A transient error at any step is retried, for at most RetryTimeout and until the
// deadline of the operation. Any other error leads to a rollback (rollback.go). If the
// daemon stops or loses its session, the operation is interrupted: it stays in the store
// at its current step, and the node's next daemon resumes it (resume.go). Every step can
// be repeated.
//
// Invariants:
//   - The operation is stored before the daemon calls the engine for it. A step that is not
//     stored can be repeated together with the stored step before it.
//   - Every write has the fence of the session under which the operation was accepted or
//     claimed. sessionEngine also checks the session before each call that changes the
//     engine.
//   - No step starts a second live container of a game on this node.
//   - A record that another writer changed is not overwritten.
//
// Other files:
//
//	service.go              Service: dependencies, settings, game locks, shared reads and writes
//	condition.go            the condition that the record has after a write of the operation
//	preempt.go              a stop that preempts the operation in progress
//	cancel.go               the cancellation of the operation in progress
//	secrets.go              the versions of the secrets of a game
//	session_engine.go       sessionEngine checks the session before calls of the engine
//	remediate.go            Remediate carries out the actions of drift findings
//	remediate_record.go     the actions that change only the record
//	remediate_container.go  the action that removes a stale container
//	nextnode.go             a start that continues on another node after a failure of its node
//	follow.go               waits for an operation that other nodes run
//	move.go                 the move of a game to another node, which passes between both
//	reschedule.go           Reschedule assigns the games of lost nodes to other nodes
//	failure.go              maps errors to failure codes and back
//
// A new operation kind needs the constant and its steps in package operation,
// validateRequest (request.go), plan (plan.go), runSteps (execution.go) and
// Kind.DesiredStatus of package operation. A new action of findings needs Remediate.
package lifecycle
