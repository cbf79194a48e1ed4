package reconcile

import (
	"context"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
)

// An engine that lists no container at all, for this long and in this many observations
// of a finding, is assumed to be faulty. The window is longer than the delay of events.
const (
	emptyEngineWindow       = 15 * time.Second
	emptyEngineObservations = 3
)

// emptyEngineReason is why a finding is blocked before the window has ended.
const emptyEngineReason = "not confirmed yet: the engine lists no containers"

// guardEmptyEngine engages the brake if the engine lists no container at all and has not
// reported the removal of the finding's container. Such an engine may be another one than
// before, or use another directory. The share of affected games does not reveal that on a
// node with one game. It returns how much longer the engine must be empty before the brake
// is engaged.
func (w *Worker) guardEmptyEngine(ctx context.Context, o drift.Observation, f drift.Finding) (time.Duration, error) {
	if w.brake.state() != nil {
		return 0, nil
	}
	if empty, err := w.dependsOnEmptyEngine(ctx, f); err != nil || !empty {
		return 0, err
	}
	delay := remainingDelay(o, f, emptyEngineWindow, emptyEngineObservations)
	if delay == 0 {
		w.brake.engage(fmt.Sprintf("the engine lists no containers and reported no removal, but the record of %q names a container", f.GameID))
	}
	return delay, nil
}

// dependsOnEmptyEngine reports whether the only evidence of the finding is an engine
// that lists no container at all.
func (w *Worker) dependsOnEmptyEngine(ctx context.Context, f drift.Finding) (bool, error) {
	if f.Action != drift.ActionMarkRemoved || f.Proven || w.brake.isRecentlyReleased() {
		return false, nil
	}
	engineCtx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	containers, err := w.deps.Engine.List(engineCtx, "")
	if err != nil {
		return false, fmt.Errorf("list the containers of the engine: %w", err)
	}
	return len(containers) == 0, nil
}
