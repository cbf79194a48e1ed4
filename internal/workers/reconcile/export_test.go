package reconcile

import (
	"context"
	"errors"
	"fmt"
)

// PassAndDeal makes a pass and deals once with each game that it noticed, as the
// workers of Run would, one after the other.
func (w *Worker) PassAndDeal(ctx context.Context) error {
	if _, err := w.Pass(ctx); err != nil {
		return err
	}
	var faults []error
	for w.queue.Len() > 0 {
		gameID, _ := w.queue.Get()
		if _, err := w.look(ctx, gameID); err != nil {
			faults = append(faults, fmt.Errorf("look at %q: %w", gameID, err))
		}
		w.queue.Done(gameID)
	}
	for w.starts.Len() > 0 {
		gameID, _ := w.starts.Get()
		if _, err := w.startAgain(ctx, gameID); err != nil {
			faults = append(faults, fmt.Errorf("start %q again: %w", gameID, err))
		}
		w.starts.Done(gameID)
	}
	return errors.Join(faults...)
}
