package lifecycle

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// rollBack restores the state before a failed operation, as far as the engine can: it
// stops and removes the container that the operation created, starts the previous one if
// it was running, and corrects the record.
func (e *execution) rollBack(ctx context.Context) error {
	var created []string
	if e.op().Generation > 0 {
		var err error
		created, err = e.stopCreated(ctx)
		if errors.Is(err, container.ErrEngineUnavailable) && ctx.Err() == nil && e.op().MustChangeNode() && !e.op().MayHaveStarted() {
			return nil // a container that was never started is removed as stale once the engine responds
		}
		if err != nil {
			return err
		}
	}
	if e.mustHandBack() {
		e.removeCreated(ctx, created)
		e.service.failures.record(e.op().Spec.Image, true, e.service.now())
		return e.handBack(ctx)
	}
	err := e.restorePrevious(ctx)
	if err != nil && !errors.Is(err, runtime.ErrConflict) { // a conflict: another writer's record is kept
		return err
	}
	e.removeCreated(ctx, created)
	return nil
}

// removeCreated removes the stopped containers that the operation created.
func (e *execution) removeCreated(ctx context.Context, created []string) {
	for _, id := range created {
		if err := e.engine.Remove(ctx, id); err != nil {
			// The reconcile worker removes it later as stale, or adopts it if the game has no
			// record.
			e.service.log.Warn("cannot remove the container of a failed operation", "game_id", e.gameID, "container_id", id, "error", err)
		}
	}
}

// stopCreated stops the containers that the operation created, and returns their IDs. It
// looks them up in the engine, because the response of Create may have been lost.
func (e *execution) stopCreated(ctx context.Context) ([]string, error) {
	containers, err := e.engine.List(ctx, e.gameID)
	if err != nil {
		return nil, err
	}
	var created []string
	for _, c := range containers {
		if c.Labels.OperationID != e.op().ID || e.isPreviousContainer(c.ID) {
			continue
		}
		if _, err := e.stopContainer(ctx, c.ID); err != nil {
			return nil, err
		}
		created = append(created, c.ID)
	}
	return created, nil
}

// restorePrevious restores the previous container and its record.
func (e *execution) restorePrevious(ctx context.Context) error {
	op := e.op()
	previous := op.PreviousRecord
	if op.Kind == operation.KindMove && e.service.self == *op.Target {
		return e.restoreLocation(ctx)
	}
	if previous == nil || previous.Status == runtime.StatusRemoved || node.RefOf(*previous) != e.service.self {
		return e.removeCreatedRecord(ctx)
	}
	switch {
	case op.PreemptedBy != nil && previous.Status == runtime.StatusRunning:
		// The stop that follows would end the previous container at once.
	case previous.Status == runtime.StatusRunning && op.Kind != operation.KindStop:
		stopped, err := e.stopOtherContainersInTime(ctx, previous.CurrentContainerID)
		if err != nil {
			return err
		}
		if !stopped {
			e.service.log.Error("the previous container is not started: another live container of the game cannot be stopped", "game_id", e.gameID)
			break
		}
		err = e.engine.Start(ctx, previous.CurrentContainerID)
		if err != nil && !errors.Is(err, operation.ErrStartFailed) && !errors.Is(err, container.ErrNoContainer) {
			return err
		}
	case previous.Status == runtime.StatusStopped && op.Kind != operation.KindRestart:
		if _, err := e.stopContainer(ctx, previous.CurrentContainerID); err != nil {
			return err
		}
	}
	return e.syncRecord(ctx, previous.CurrentContainerID)
}

// stopOtherContainersInTime calls stopOtherContainers with a timeout that leaves time for
// the rest of the rollback. It returns false if the timeout ended first.
func (e *execution) stopOtherContainersInTime(ctx context.Context, except string) (stopped bool, err error) {
	stopCtx, cancel := context.WithTimeout(ctx, e.stopGrace()+e.service.cfg.RetryTimeout/2)
	defer cancel()
	err = e.stopOtherContainers(stopCtx, except)
	if err != nil && stopCtx.Err() != nil && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}

// removeCreatedRecord sets the record to removed if the operation wrote it. It is for a
// game that had no container on this node.
func (e *execution) removeCreatedRecord(ctx context.Context) error {
	current, err := e.service.readRecord(ctx, e.gameID)
	if err != nil || current.record == nil || e.op().ContainerID == "" || current.record.CurrentContainerID != e.op().ContainerID {
		return err
	}
	e.base = &current
	return e.setStatus(ctx, runtime.StatusRemoved, container.Container{}, rollbackWrite, e.rollbackReason())
}

// syncRecord sets the record to the state of the container in the engine.
func (e *execution) syncRecord(ctx context.Context, containerID string) error {
	c, err := e.engine.Inspect(ctx, containerID)
	switch {
	case errors.Is(err, container.ErrNoContainer):
		return e.setStatus(ctx, runtime.StatusRemoved, container.Container{}, rollbackWrite, e.rollbackReason())
	case err != nil:
		return err
	case c.State == container.StateRunning:
		return e.setStatus(ctx, runtime.StatusRunning, c, rollbackWrite, e.rollbackReason())
	case c.State == container.StateUnknown:
		return container.ErrEngineUnavailable
	default:
		return e.setStatus(ctx, runtime.StatusStopped, c, rollbackWrite, e.rollbackReason())
	}
}

// rollbackReason returns the ledger reason of a rolled-back write.
func (e *execution) rollbackReason() string {
	text := string(e.op().Kind) + " failed"
	if failure := e.op().Failure; failure != nil {
		text += ": " + failure.Message
	}
	return ports.TruncateReason(text)
}
