// Package operation is the part of the domain that describes what should happen to a
// game: the specification it runs by (Spec), the lifecycle operation in progress
// (Operation) and the outcomes of recent operations (Outcome). An Intent holds all
// three; the store keeps one Intent per game. Package runtime describes the actual
// state of a game's runtime.
//
// An operation is a state machine. Its steps have a fixed order:
//
//	accepted ─► pulling ─► creating ─► stopping ─► starting ─► awaiting_health ─► removing ─► done
//	   │           │           │           │           │               │
//	   └───────────┴───────────┴───────────┴─────┬─────┴───────────────┘
//	                                             │ failure, deadline exceeded
//	                                             ▼
//	                                       rolling_back ─► done, with Outcome.Failure
//
// Each kind has some of the steps:
//
//	start, existing container      accepted, starting, awaiting_health
//	start, new container           accepted, pulling, creating, starting, awaiting_health, removing
//	reschedule (on another node)   like a start of a new container
//	stop                           accepted, stopping
//	restart                        accepted, stopping, starting, awaiting_health
//	patch of a running game        accepted, pulling, creating, stopping, starting, awaiting_health, removing
//	patch of a stopped game        accepted, pulling, creating, stopping (record only), removing
//	cleanup                        accepted, removing
//
// The daemon stores a step before it acts on it, and every act can be repeated, so the
// next daemon can continue an operation after a crash. "removing" removes the previous
// container, when the new one is healthy: from then on only a cleanup can still be
// rolled back. A rollback stops the new container, restores the previous one and its
// record, and removes the new container.
//
// When an operation is done, Intent.Current becomes nil and the outcome is the first
// entry of Intent.Recent.
//
// The package imports the other domain packages and the standard library only.
package operation
