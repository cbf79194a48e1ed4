package reconcile

import (
	"context"
	"errors"
	"fmt"
)

// PassAndHandle makes a pass, and handles each enqueued game once, as the workers of Run
// do, but sequentially.
func (w *Worker) PassAndHandle(ctx context.Context) error {
	if _, err := w.Pass(ctx); err != nil {
		return err
	}
	var faults []error
	for _, stage := range []struct {
		queue  workQueue
		handle handler
	}{{w.queue, w.reconcileGame}, {w.removals, w.newSlowHandler(w.removals)}, {w.starts, w.newSlowHandler(w.starts)}, {w.handovers, w.newSlowHandler(w.handovers)}} {
		for stage.queue.Len() > 0 {
			gameID, _ := stage.queue.Get()
			if _, err := stage.handle(ctx, gameID); err != nil {
				faults = append(faults, fmt.Errorf("handle %q: %w", gameID, err))
			}
			stage.queue.Done(gameID)
		}
	}
	return errors.Join(faults...)
}
