package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/rollout"
)

// RolloutStore keeps rollouts and their games. All methods are safe for concurrent use, end when
// ctx ends, and return values that share no memory with the store. Errors are those of
// RuntimeRecordStore, and rollout.ErrNotFound for an id without a rollout.
type RolloutStore interface {
	// CreateRollout stores the rollout with its games. Until all games are stored it is
	// rollout.StatePreparing. It returns the rollout as stored. If a rollout has the id already,
	// CreateRollout changes nothing and returns runtime.ErrConflict.
	CreateRollout(ctx context.Context, created rollout.Rollout, games []rollout.Game) (rollout.Rollout, error)

	// Rollouts returns all rollouts, the oldest first, as of one revision. A value that cannot be
	// read does not hide the others.
	Rollouts(ctx context.Context) ([]rollout.Rollout, error)

	// Rollout returns a rollout with its games, ordered by game id, as of one revision.
	Rollout(ctx context.Context, id string) (rollout.Rollout, []rollout.Game, error)

	// UpdateRollout applies change to the current rollout and stores the result, until no other
	// writer interferes; change may be called several times. An error of change ends the update
	// and is returned. A change that changes nothing writes nothing.
	UpdateRollout(ctx context.Context, id string, change func(*rollout.Rollout) error) (rollout.Rollout, error)

	// PutProgress stores the rollout and the changed games, at most MaxProgressGames, in one
	// transaction, if the rollout has the Revision with which it was read and the fence is valid.
	// Otherwise it changes nothing and returns runtime.ErrConflict or runtime.ErrFenced. It
	// returns the rollout with its new revision.
	PutProgress(ctx context.Context, current rollout.Rollout, changed []rollout.Game, fence node.Fence) (rollout.Rollout, error)

	// DeleteRollout deletes the rollout with its games, in transactions of bounded size and the
	// rollout last, so that a deletion that was interrupted can be repeated. The caller must have
	// ended the work on it. A rollout that does not exist is a success.
	DeleteRollout(ctx context.Context, id string) error

	// FollowRollouts calls report at first and after each change of any rollout, until ctx ends;
	// several changes may cause one call. It returns the cause of ctx.
	FollowRollouts(ctx context.Context, report func()) error
}

// MaxProgressGames is the number of games that one call of PutProgress may change.
const MaxProgressGames = 100
