package rollouts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/imageversion"
	"galaxy/rtmanager/internal/ports"
)

// Plan returns what a rollout with the request would do, ordered by game id. Its errors are those
// of Start.
func (s *Service) Plan(ctx context.Context, request ports.RolloutRequest) ([]rollout.PlannedGame, error) {
	records, err := s.selectGames(ctx, request)
	if err != nil {
		return nil, err
	}
	if err := s.checkOverlap(ctx, "", gamesOf(records)); err != nil {
		return nil, err
	}
	planned := make([]rollout.PlannedGame, len(records))
	for i, record := range records {
		planned[i] = rollout.PlannedGame{
			GameID: record.GameID, Region: record.Region, CurrentImage: record.CurrentImageRef,
			IsUnchanged: record.CurrentImageRef == request.Spec.Image && !request.Spec.Pull,
		}
	}
	return planned, nil
}

// Start stores a rollout of the running games that the filter selects, as they are at one
// revision. It returns when the rollout is stored, before any game is changed.
//
// Errors:
//   - runtime.ErrInvalid for an invalid image or number, and for a selection without a game or
//     with more than rollout.MaxGames,
//   - operation.ErrRejected without force if a game has an image of another major or minor version, or one that cannot
//     be compared,
//   - rollout.ErrOverlap if a game is part of another rollout that has not ended,
//   - operation.ErrIDReused for the idempotency key of another request,
//   - the error of Authorize, and the errors of the store.
func (s *Service) Start(ctx context.Context, request ports.RolloutRequest) (rollout.Rollout, error) {
	id := rollout.NewID(request.IdempotencyKey)
	if request.IdempotencyKey != "" {
		if existing, _, err := s.deps.Store.Rollout(ctx, id); !errors.Is(err, rollout.ErrNotFound) {
			return repeated(existing, request, err)
		}
	}
	records, err := s.selectGames(ctx, request)
	if err != nil {
		return rollout.Rollout{}, err
	}
	games := gamesOf(records)
	if err := s.checkOverlap(ctx, id, games); err != nil {
		return rollout.Rollout{}, err
	}
	now := s.now()
	_, err = s.deps.Store.CreateRollout(ctx, rollout.Rollout{
		ID: id, Spec: request.Spec, State: rollout.StatePreparing, Attempt: 1, By: request.By, Reason: request.Reason,
		RequestHash: request.ContentsHash, CreatedAt: now, UpdatedAt: now, Counts: rollout.Count(games),
	}, games)
	if errors.Is(err, runtime.ErrConflict) { // another request with the same key is creating it
		return rollout.Rollout{}, err
	}
	var created rollout.Rollout
	if err == nil {
		created, err = s.activate(ctx, id, games)
	}
	if err != nil {
		s.discard(ctx, id)
		return rollout.Rollout{}, err
	}
	s.cfg.Logger.Info("rollout started", "rollout_id", id, "image", request.Spec.Image, "games", len(games), "actor", request.By.Name, "reason", request.Reason)
	return created, nil
}

// activate starts a rollout whose games are stored. Two rollouts that are created at the same time see each
// other's games by now.
func (s *Service) activate(ctx context.Context, id string, games []rollout.Game) (rollout.Rollout, error) {
	if err := s.checkOverlap(ctx, id, games); err != nil {
		return rollout.Rollout{}, err
	}
	return s.deps.Store.UpdateRollout(ctx, id, func(r *rollout.Rollout) error {
		if r.State == rollout.StatePreparing {
			r.State = rollout.StateRunning
		}
		return nil
	})
}

// discardTimeout bounds the deletion of a rollout that could not be created.
const discardTimeout = 5 * time.Second

// discard deletes a rollout that is still in preparation, so that it does not block others. A leader deletes
// one that remains.
func (s *Service) discard(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	_, err := s.deps.Store.UpdateRollout(ctx, id, func(r *rollout.Rollout) error {
		if r.State != rollout.StatePreparing {
			return &rollout.StateError{ID: id, State: r.State, Action: rollout.ActionDelete}
		}
		r.State, r.UpdatedAt = rollout.StateDeleting, s.now()
		return nil
	})
	if err == nil {
		err = s.deps.Store.DeleteRollout(ctx, id)
	}
	if err != nil && !errors.Is(err, rollout.ErrNotFound) {
		s.cfg.Logger.Warn("a rollout that could not be created remains for some minutes", "rollout_id", id, "error", err)
	}
}

// repeated returns the rollout of an earlier request with the same idempotency key.
func repeated(existing rollout.Rollout, request ports.RolloutRequest, err error) (rollout.Rollout, error) {
	switch {
	case err != nil:
		return rollout.Rollout{}, err
	case existing.RequestHash != request.ContentsHash:
		return rollout.Rollout{}, &operation.IDReusedError{OperationID: request.IdempotencyKey, Kind: operation.KindPatch}
	case existing.State == rollout.StatePreparing || existing.State == rollout.StateDeleting:
		return rollout.Rollout{}, &runtime.UnavailableError{Reason: "rollout " + existing.ID + " is " + string(existing.State)}
	}
	return existing, nil
}

// selectGames validates the request, and returns the records of the selected games, ordered by
// game id. The store shares them with its other callers.
func (s *Service) selectGames(ctx context.Context, request ports.RolloutRequest) ([]*runtime.RuntimeRecord, error) {
	if err := errors.Join(operation.ValidateImage(request.Spec.Image), request.Spec.Validate(), request.Filter.Validate()); err != nil {
		return nil, err
	}
	filter := request.Filter
	filter.Statuses = []runtime.Status{runtime.StatusRunning}
	var records []*runtime.RuntimeRecord
	var corrupt []*runtime.CorruptError
	query := ports.ScanQuery{RecordFilter: filter, OnCorrupt: func(found *runtime.CorruptError) { corrupt = append(corrupt, found) }}
	for found, err := range ports.ScanRecords(ctx, s.deps.Records, query) {
		if err != nil {
			return nil, fmt.Errorf("select the games: %w", err)
		}
		if len(records) <= rollout.MaxGames {
			records = append(records, found.Record)
		}
	}
	switch {
	case len(corrupt) > 0:
		return nil, fmt.Errorf("select the games: %w", corrupt[0])
	case len(records) > rollout.MaxGames:
		return nil, &runtime.InvalidError{Field: "filter", Reason: fmt.Sprintf("selects more than %d games; use several rollouts", rollout.MaxGames)}
	case len(records) == 0:
		return nil, &runtime.InvalidError{Field: "filter", Reason: "selects no running game"}
	}
	if request.Authorize != nil {
		for _, record := range records {
			if err := request.Authorize(*record); err != nil {
				return nil, err
			}
		}
	}
	return records, checkImages(records, request.Spec)
}

// checkImages returns an *operation.RejectedError for the first game whose patch to the image would be rejected.
func checkImages(records []*runtime.RuntimeRecord, spec rollout.Spec) error {
	if spec.Force {
		return nil
	}
	for _, record := range records {
		if record.CurrentImageRef == spec.Image {
			continue
		}
		if err := imageversion.CheckCompatible(record.CurrentImageRef, spec.Image); err != nil {
			return &operation.RejectedError{GameID: record.GameID, Operation: "rollout", Status: record.Status, Reason: fmt.Sprintf("game %s: %v; force the rollout to allow it", record.GameID, err)}
		}
	}
	return nil
}

// gamesOf returns the games of a new rollout.
func gamesOf(records []*runtime.RuntimeRecord) []rollout.Game {
	games := make([]rollout.Game, len(records))
	for i, record := range records {
		games[i] = rollout.Game{GameID: record.GameID, Region: record.Region, GameCreatedAt: record.CreatedAt, State: rollout.GamePending}
	}
	return games
}

// checkOverlap returns a *rollout.OverlapError if one of the games is part of another rollout than that of the id
// that has not ended: both would change its image, and an undo of one would meet the image of the other.
func (s *Service) checkOverlap(ctx context.Context, id string, of []rollout.Game) error {
	others, err := s.deps.Store.Rollouts(ctx)
	if err != nil {
		return err
	}
	selected := make(map[string]bool, len(of))
	for _, game := range of {
		selected[game.GameID] = true
	}
	for _, other := range others {
		if other.ID == id || other.State.HasEnded() || other.State == rollout.StateDeleting {
			continue
		}
		_, games, err := s.deps.Store.Rollout(ctx, other.ID)
		if errors.Is(err, rollout.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		for _, game := range games {
			if selected[game.GameID] {
				return &rollout.OverlapError{GameID: game.GameID, Other: other.ID, State: other.State}
			}
		}
	}
	return nil
}
