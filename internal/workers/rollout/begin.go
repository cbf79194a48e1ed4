package rollout

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// begin returns the game with its patch in progress, or with the reason why it needs none. An
// update records the image that an undo restores.
func (r *runner) begin(ctx context.Context, current rollout.Rollout, game rollout.Game) (rollout.Game, error) {
	found, err := r.deps.Records.GetVersioned(ctx, game.GameID)
	isDeleted := errors.Is(err, runtime.ErrNotFound)
	if err != nil && !isDeleted {
		return game, fmt.Errorf("read game %q: %w", game.GameID, err)
	}
	game.Attempt, game.ChangedAt, game.Message = current.Attempt, r.now(), ""
	record := found.Record
	switch {
	case isDeleted || game.IsOther(record.CreatedAt):
		return skip(game, "the game was deleted"), nil
	case record.Status == runtime.StatusRemoved:
		return skip(game, "the game was removed"), nil
	case current.IsUndo:
		return beginUndo(current, game, record), nil
	case record.Status != runtime.StatusRunning:
		return skip(game, "the game is "+string(record.Status)), nil
	case record.CurrentImageRef == current.Image && !current.Pull:
		game.State = rollout.GameUnchanged
		if game.PreviousImage != "" && game.PreviousImage != current.Image {
			game.State = rollout.GameUpdated // by an earlier attempt whose outcome was not known
		}
		return game, nil
	}
	game.State, game.PreviousImage = rollout.GameUpdating, record.CurrentImageRef
	return game, nil
}

func beginUndo(current rollout.Rollout, game rollout.Game, record runtime.RuntimeRecord) rollout.Game {
	switch {
	case record.CurrentImageRef == game.PreviousImage && game.PreviousImage != current.Image:
		game.State = rollout.GameReverted
	case record.CurrentImageRef != current.Image:
		return skip(game, "the game has image "+record.CurrentImageRef+", which this rollout has not set")
	default:
		game.State = rollout.GameReverting
	}
	return game
}

func skip(game rollout.Game, reason string) rollout.Game {
	game.State, game.Message = rollout.GameSkipped, reason
	return game
}

// patch patches the game in progress, with the rights of the user of the rollout.
func (r *runner) patch(ctx context.Context, current rollout.Rollout, game rollout.Game) result {
	request := ports.OperationRequest{
		GameID: game.GameID, Image: current.Image, Force: current.Force, Pull: current.Pull,
		Origin: ports.Origin{OperationID: game.OperationID(r.id), Actor: current.By.Name, Reason: "rollout " + r.id},
	}
	if game.State == rollout.GameReverting {
		// The previous image may be one that an update would need to force.
		request.Image, request.Force, request.Pull = game.PreviousImage, true, false
		request.Origin.Reason = "undo of rollout " + r.id
	}
	if current.Reason != "" {
		request.Origin.Reason = ports.TruncateReason(request.Origin.Reason + ": " + current.Reason)
	}
	record, err := r.readGame(ctx, current, game)
	if err != nil {
		return result{gameID: game.GameID, err: err}
	}
	if r.deps.Authorize != nil {
		if ctx, err = r.deps.Authorize(ctx, current.By, record.Region, game.GameID); err != nil {
			return result{gameID: game.GameID, err: err}
		}
	}
	outcome, err := r.deps.Patcher.Patch(ctx, request)
	return result{gameID: game.GameID, outcome: outcome, err: err}
}

// errOtherImage is the result of a game that another user has patched before its own patch.
var errOtherImage = errors.New("another user has changed the image of the game")

// readGame returns the record of a game before its patch. It returns runtime.ErrNotFound if the game was
// deleted, also if another one has its id now, and errOtherImage if the game has an image that this
// rollout neither has found nor sets.
func (r *runner) readGame(ctx context.Context, current rollout.Rollout, game rollout.Game) (runtime.RuntimeRecord, error) {
	found, err := r.deps.Records.GetVersioned(ctx, game.GameID)
	record := found.Record
	switch {
	case err != nil:
		return record, err
	case game.IsOther(record.CreatedAt):
		return record, fmt.Errorf("game %q: %w", game.GameID, runtime.ErrNotFound)
	case record.CurrentImageRef != game.PreviousImage && record.CurrentImageRef != current.Image:
		return record, fmt.Errorf("%w to %s", errOtherImage, record.CurrentImageRef)
	}
	return record, nil
}
