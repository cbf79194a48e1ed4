package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// PassAndDeal makes a pass and deals once with each game that it noticed, as the
// workers of Run would, one after the other.
func (w *Worker) PassAndDeal(ctx context.Context) error {
	if _, err := w.Pass(ctx); err != nil {
		return err
	}
	var faults []error
	for _, turn := range []struct {
		games lane
		deal  func(ctx context.Context, gameID string) (time.Duration, error)
	}{{w.queue, w.look}, {w.removals, w.dealSlowly(w.removals)}, {w.starts, w.dealSlowly(w.starts)}} {
		for turn.games.Len() > 0 {
			gameID, _ := turn.games.Get()
			if _, err := turn.deal(ctx, gameID); err != nil {
				faults = append(faults, fmt.Errorf("deal with %q: %w", gameID, err))
			}
			turn.games.Done(gameID)
		}
	}
	return errors.Join(faults...)
}
