package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// removeStale stops and removes a container that the record does not name. The engine
// has no compare-and-swap, so record and intent are read right before.
func (s *Service) removeStale(ctx context.Context, f drift.Finding) error {
	c, err := s.deps.Engine.Inspect(ctx, f.ContainerID)
	if errors.Is(err, container.ErrNoContainer) {
		return nil
	}
	if err != nil {
		return err
	}
	record, intent, err := s.loadAtRevisions(ctx, f)
	switch {
	case err != nil:
		return err
	case c.Labels.GameID != f.GameID, record != nil && record.CurrentContainerID == c.ID:
		return &runtime.InvalidError{Field: "container_id", Reason: fmt.Sprintf("%s is not a stale container of %q", c.ID, f.GameID)}
	case record == nil && c.State != container.StateCreated:
		return fmt.Errorf("container %s was never started and is %s now: %w", c.ID, c.State, runtime.ErrConflict)
	case intent.Intent.Current != nil:
		return busyError(f.GameID, intent.Intent.Current)
	}
	fence, err := s.currentFence()
	if err != nil {
		return err
	}
	s.log.Warn("removing a stale container", "game_id", f.GameID, "container_id", c.ID, "generation", c.Labels.Generation, "evidence", f.Evidence)
	grace := time.Duration(intent.Intent.Spec.WithDefaults().StopGrace)
	engineCtx, cancel := context.WithTimeout(ctx, grace+s.cfg.RetryTimeout) // a container that hangs is retried later
	defer cancel()
	if err := s.deps.Engine.Stop(engineCtx, c.ID, grace); err != nil && !errors.Is(err, container.ErrNoContainer) {
		return err
	}
	if now, err := s.currentFence(); err != nil || now != fence { // the stop may have taken the whole grace
		return fmt.Errorf("%w: this daemon has lost its session while container %s stopped", node.ErrUnreachable, c.ID)
	}
	return s.deps.Engine.Remove(engineCtx, c.ID)
}
