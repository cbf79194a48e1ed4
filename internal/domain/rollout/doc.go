// Package rollout has the values and rules of rollouts. A rollout changes the image of many games,
// a few at a time, and can restore the previous images.
//
//	rollout.go  Rollout: what was requested, its state, its counts
//	state.go    the states, and which action is allowed in which
//	game.go     Game: what the rollout has done with one game
//	plan.go     which games are next, and when a rollout has ended
//	errors.go   errors
//
// The states:
//
//	preparing ──> running ──> completed
//	                │  ^  └──> failed (games have failed) ──resume──> running
//	          pause │  │ resume
//	                v  │
//	              paused           running, paused, completed, failed ──undo──> undoing
//
//	undoing ──> undone
//	   │   └──> failed ──resume──> undoing
//	   └─pause─> paused ──resume──> undoing
//
//	paused without a change in progress, completed, failed, undone ──delete──> deleting
package rollout
