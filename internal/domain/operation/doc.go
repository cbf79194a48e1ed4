// Package operation is the part of the domain that describes the desired state of a game:
// the specification that it runs by (Spec), the lifecycle operation in progress
// (Operation) and the outcomes of recent operations (Outcome). An Intent holds all three;
// the store keeps one Intent per game. Package runtime describes the actual state of a
// game's runtime.
//
//	spec.go       Spec: how to run a game; its defaults and validation
//	intent.go     Intent: the desired state, and the limits of its history
//	operation.go  Operation: its kinds and steps
//	abandon.go    the end of an operation whose node is absent
//	preemption.go Preemption: a stop that waits for the operation that it has preempted
//	outcome.go    Outcome and Failure
//	attempt.go    Attempt: a node on which a start failed before it continued on another
//	progress.go   Progress: one report of an operation in progress
//	condition.go  the condition of a record by its intent
//	id.go         NewID
//	errors.go     sentinels and typed errors
//
// An operation is a state machine. Its steps have a fixed order:
//
//	accepted ─► pulling ─► creating ─► stopping ─► starting ─► awaiting_health ─► removing ─► finished
//	   │           │           │           │           │               │
//	   └───────────┴───────────┴───────────┴─────┬─────┴───────────────┘
//	                                             │ failure, deadline exceeded
//	                                             ▼
//	                                       rolling_back ─► finished, with Outcome.Failure
//
// Each kind has some of the steps:
//
//	start, existing container      accepted, starting, awaiting_health
//	start, new container           accepted, pulling, creating, starting, awaiting_health, removing
//	reschedule (on another node)   as a start of a new container
//	stop                           accepted, stopping
//	restart                        accepted, stopping, starting, awaiting_health
//	restart with changed secrets   as a patch of a running game
//	patch of a running game        accepted, pulling, creating, stopping, starting, awaiting_health, removing
//	patch of a stopped game        accepted, pulling, creating, stopping (record only), removing
//	cleanup                        accepted, removing
//	move of a running game         accepted, pulling, creating, stopping (on the former node), starting, awaiting_health
//	move of a stopped game         accepted, pulling, creating, stopping (record only)
//
// The daemon stores the first step with the acceptance. It stores most later steps before it
// carries them out, and only reports the others: creating, starting after stopping, and awaiting_health of a start for its first second. Every
// step can be repeated, together with the stored step before it. So
// the node's next daemon can continue an operation after a crash.
//
// The step removing removes the previous container, once the new one is healthy. From
// that step on, only a cleanup can still be rolled back. A rollback stops the new
// container, restores the previous one and its record, and removes the new container.
//
// An operation that is finished is not stored as such: Intent.Current becomes nil, and
// the outcome becomes the first entry of Intent.Recent.
//
// A new kind is a Kind constant, its steps in the table above, and its execution in
// services/lifecycle, whose package comment lists the places.
//
// The package imports the other domain packages and the standard library only.
package operation
