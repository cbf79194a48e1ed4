// Package lifecycle runs the lifecycle operations on the games of one node: start, stop,
// restart, patch and cleanup, the rescheduling of games from lost nodes, and the
// remediation of drift. It is written over ports and does not depend on the engine.
//
// The walk of a start, from the call to its result:
//
//  1. admit.go, request.go: Execute validates the request. lockGame locks the game in
//     this process; a request for a locked game joins its operation, or fails with
//     ErrBusy.
//  2. build_intent.go, plan.go: buildIntent checks that no operation is in progress, reads
//     the record and the state of its container, and plans the operation. persistIntent
//     (admit.go) stores the intent with the operation (step accepted), fenced by the
//     session of this daemon and guarded by the version of the intent.
//  3. execution.go: start runs the operation in a goroutine of its own, under the
//     lifetime of the service. The caller follows it by the progress reports of its
//     activeOperation (active.go) and may leave at any time.
//  4. steps.go: startGame runs the steps pulling, creating, starting, awaiting_health and
//     removing. runStep (stored_operation.go) stores each step before it acts on the
//     engine (container.go).
//  5. status_write.go: setStatus writes the record as a compare-and-swap, under an
//     operation ID derived from the operation's, so that every write is applied once.
//  6. health.go: awaitHealth waits until the health check passes.
//  7. outcome.go: finish stores the outcome and clears Intent.Current.
//
// An error at any step is retried while it is transient, for at most RetryTimeout and
// until the deadline of the operation. Any other error leads to a rollback
// (rollback.go). If the daemon stops or loses its session, the operation stays as it is
// stored, and the node's next daemon continues it (resume.go). All acts may be repeated.
//
// Invariants:
//   - Nothing is done before it is stored that it will be done.
//   - Every write carries the fence of the session under which the operation was
//     accepted or claimed, and the session is checked before every act on the engine.
//   - No act starts a second live container of a game on this node.
//   - A record that another writer changed is not overwritten.
//
// Other files: service.go has the Service and the locks of games; remediate*.go apply
// findings of drift; reschedule.go assigns games of lost nodes to other nodes; failure.go
// maps errors to failure codes and back.
package lifecycle
