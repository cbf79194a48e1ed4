package ports

import (
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
)

// RolloutRequest requests a rollout.
type RolloutRequest struct {
	// IdempotencyKey identifies the request; a second one with the same key returns the rollout of
	// the first. An empty key identifies nothing.
	IdempotencyKey string
	// ContentsHash identifies the content of the request. A second request with the same key and
	// another hash is rejected.
	ContentsHash string
	Spec         rollout.Spec
	// Filter selects the games, among those that run.
	Filter RecordFilter
	By     rollout.Actor
	Reason string
	// Authorize returns an error unless the user may patch the game of the record; nil allows all.
	Authorize func(record runtime.RuntimeRecord) error
}
