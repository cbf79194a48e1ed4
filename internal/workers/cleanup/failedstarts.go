package cleanup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// maxScanInterval bounds the time between two lists of the games whose first start has failed.
const maxScanInterval = time.Hour

// deleteFailedStarts deletes the games without a record whose latest operation has failed on this
// node for long enough, and returns their number: only their intents exist, and nothing else
// deletes those. It lists all keys of intents, so it does that once in a tenth of Retention.
func (r *Retention) deleteFailedStarts(ctx context.Context) (int, error) {
	now := r.cfg.Clock()
	if now.Before(r.nextScan) {
		return 0, nil
	}
	games, err := r.deps.Store.GamesWithIntent(ctx)
	if err != nil {
		return 0, err
	}
	r.nextScan = now.Add(max(r.cfg.Interval, min(r.cfg.Retention/10, maxScanInterval)))
	count := 0
	var faults []error
	for _, gameID := range games {
		// The cache is enough: the deletion rejects a game with a record that is not removed.
		if _, _, err := r.deps.Store.GetLocal(ctx, gameID); !errors.Is(err, runtime.ErrNotFound) {
			continue
		}
		isDeleted, err := r.deleteFailedStart(ctx, gameID, now)
		if isDeleted {
			count++
		}
		faults = append(faults, err)
	}
	return count, errors.Join(faults...)
}

func (r *Retention) deleteFailedStart(ctx context.Context, gameID string, now time.Time) (isDeleted bool, _ error) {
	stored, err := r.deps.Store.GetIntent(ctx, gameID)
	if err != nil || !r.isFailedStart(stored.Intent, now) {
		return false, err
	}
	containers, err := r.deps.Engine.List(ctx, gameID)
	if err != nil || len(containers) > 0 {
		return false, err
	}
	if err := r.limiter.Wait(ctx); err != nil {
		return false, err
	}
	origin := ports.Origin{Actor: "retention", Reason: fmt.Sprintf("the first start failed %s ago", r.cfg.Retention)}
	err = r.deps.Store.Delete(ctx, ports.DeleteInput{GameID: gameID, Origin: origin})
	switch {
	case errors.Is(err, runtime.ErrNotFound), errors.Is(err, operation.ErrRejected), errors.Is(err, operation.ErrBusy):
		return false, nil // it is being started, or is deleted already
	}
	return err == nil, err
}

// isFailedStart reports whether the intent is of a game whose latest operation has ended on this
// node, at least Retention ago.
func (r *Retention) isFailedStart(intent operation.Intent, now time.Time) bool {
	if intent.Current != nil || len(intent.Recent) == 0 {
		return false
	}
	last := intent.Recent[0]
	return node.Ref{Region: last.Region, Name: last.Node} == node.Ref{Region: r.cfg.Region, Name: r.cfg.Node} && now.Sub(last.FinishedAt) >= r.cfg.Retention
}
