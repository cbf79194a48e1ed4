package lifecycle

import (
	"context"
	"errors"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// rollBack puts back what was there before a failed operation, as far as the
// engine lets it: the container that the operation made goes, the one before runs
// again if it ran, and the record says what is.
func (r *execution) rollBack(ctx context.Context) error {
	var made []string
	if r.op().Generation > 0 {
		var err error
		if made, err = r.stopCreated(ctx); err != nil {
			return err
		}
	}
	err := r.restorePrevious(ctx)
	if err != nil && !errors.Is(err, runtime.ErrConflict) { // a record that is somebody else's now is left to him
		return err
	}
	for _, id := range made {
		if err := r.service.Engine.Remove(ctx, id); err != nil {
			// It does not run, and is stale: the reconcile worker goes on trying.
			r.service.log.Warn("the container of a failed operation could not be removed", "game_id", r.gameID, "container_id", id, "error", err)
		}
	}
	return nil
}

// stopCreated stops the containers that the operation made, and returns their ids.
// Whether it made one, the engine knows better than the intent: the answer of Create may
// have been lost.
func (r *execution) stopCreated(ctx context.Context) ([]string, error) {
	containers, err := r.service.Engine.List(ctx, r.gameID)
	if err != nil {
		return nil, err
	}
	var made []string
	for _, c := range containers {
		if c.Labels.OperationID != r.op().ID || r.isPreviousContainer(c.ID) {
			continue
		}
		if !r.holdsSession() {
			return nil, errSuperseded
		}
		if _, err := r.stopContainer(ctx, c.ID); err != nil {
			return nil, err
		}
		made = append(made, c.ID)
	}
	return made, nil
}

// restorePrevious brings the game back to what it was before the operation.
func (r *execution) restorePrevious(ctx context.Context) error {
	op := r.op()
	before := op.PreviousRecord
	if before == nil || before.Status == runtime.StatusRemoved || !r.service.isLocal(before.Region, before.Node) {
		return r.removeCreatedRecord(ctx)
	}
	switch {
	case before.Status == runtime.StatusRunning && op.Kind != operation.KindStop:
		alone, err := r.stopOtherContainersWithin(ctx, before.CurrentContainerID)
		if err != nil {
			return err
		}
		if !alone {
			r.service.log.Error("the game stays down: another live container of it cannot be stopped", "game_id", r.gameID)
			break
		}
		err = r.service.Engine.Start(ctx, before.CurrentContainerID)
		if err != nil && !errors.Is(err, operation.ErrStartFailed) && !errors.Is(err, container.ErrNoContainer) {
			return err
		}
	case before.Status == runtime.StatusStopped && op.Kind != operation.KindRestart:
		if _, err := r.stopContainer(ctx, before.CurrentContainerID); err != nil {
			return err
		}
	}
	return r.syncRecord(ctx, before.CurrentContainerID)
}

// stopOtherContainersWithin is silence that leaves time for the rest of a roll back. It is false
// where that has not been enough.
func (r *execution) stopOtherContainersWithin(ctx context.Context, except string) (alone bool, err error) {
	bound, cancel := context.WithTimeout(ctx, time.Duration(r.op().Spec.WithDefaults().StopGrace)+r.service.cfg.RetryTimeout/2)
	defer cancel()
	err = r.stopOtherContainers(bound, except)
	if err != nil && bound.Err() != nil && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}

// removeCreatedRecord is for a game that had no container here: a record that the operation
// wrote of its own ends.
func (r *execution) removeCreatedRecord(ctx context.Context) error {
	current, _, err := r.service.findRecord(ctx, r.gameID)
	if err != nil || current == nil || r.op().ContainerID == "" || current.CurrentContainerID != r.op().ContainerID {
		return err
	}
	return r.setStatus(ctx, runtime.StatusRemoved, container.Container{}, rollbackWrite, r.rollbackReason())
}

// syncRecord makes the record say what the engine says of the container.
func (r *execution) syncRecord(ctx context.Context, containerID string) error {
	c, err := r.service.Engine.Inspect(ctx, containerID)
	switch {
	case errors.Is(err, container.ErrNoContainer):
		return r.setStatus(ctx, runtime.StatusRemoved, container.Container{}, rollbackWrite, r.rollbackReason())
	case err != nil:
		return err
	case c.State == container.StateRunning:
		return r.setStatus(ctx, runtime.StatusRunning, c, rollbackWrite, r.rollbackReason())
	case c.State == container.StateUnknown:
		return container.ErrEngineUnavailable
	default:
		return r.setStatus(ctx, runtime.StatusStopped, c, rollbackWrite, r.rollbackReason())
	}
}

// rollbackReason is what the ledger says of a record that was put back.
func (r *execution) rollbackReason() string {
	text := string(r.op().Kind) + " failed"
	if failure := r.op().Failure; failure != nil {
		text += ": " + failure.Message
	}
	return truncateUTF8(text, ports.MaxReasonBytes)
}
