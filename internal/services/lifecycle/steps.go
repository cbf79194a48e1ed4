package lifecycle

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// startGame starts the game in its existing container, or in a new one.
func (e *execution) startGame(ctx context.Context) error {
	op := e.op()
	if op.Generation == 0 {
		return e.startAndWait(ctx, op.PreviousRecord.CurrentContainerID)
	}
	if err := e.pullAndCreate(ctx); err != nil {
		return err
	}
	if err := e.startAndWait(ctx, e.op().ContainerID); err != nil {
		return err
	}
	return e.removePrevious(ctx)
}

// startAndWait starts the container, sets the record to running, and waits until the
// game is healthy.
func (e *execution) startAndWait(ctx context.Context, containerID string) error {
	runStep := e.runStep
	if e.op().HasReached(operation.StepStopping) {
		// The step stopping has stored the container. A daemon that resumes there stops and
		// starts the game once more.
		runStep = e.runUnstoredStep
	}
	err := runStep(ctx, operation.StepStarting, func(ctx context.Context) error {
		c, err := e.startContainer(ctx, containerID)
		if err != nil {
			return err
		}
		return e.setStatus(ctx, runtime.StatusRunning, c, finalWrite, e.reason())
	})
	if err != nil {
		return err
	}
	startedAt := e.op().StepAt
	runStep = e.runStep
	if e.op().Step == operation.StepStarting && !e.isStepUnstored {
		// A daemon that resumes at the stored step starts the running container without an effect. awaitHealth
		// stores the step if the game is not healthy soon.
		runStep = e.runUnstoredStep
	}
	return runStep(ctx, operation.StepAwaitingHealth, func(ctx context.Context) error {
		if e.op().Kind == operation.KindReschedule {
			return nil // the previous container is out of reach; the health worker checks the game
		}
		if e.isStepUnstored && !e.resumedAt.IsZero() {
			e.op().StepAt = startedAt // the timeout does not restart with the daemon
		}
		return e.awaitHealth(ctx, containerID)
	})
}

// removePrevious removes the container that the new one has replaced. The new container
// is healthy, so an error here does not fail the operation: the reconcile worker removes
// the stale container later. The container of a lost node is out of reach: that node
// removes it when it returns.
func (e *execution) removePrevious(ctx context.Context) error {
	previous := e.op().PreviousRecord
	if previous == nil || previous.CurrentContainerID == "" || node.RefOf(*previous) != e.service.self {
		return nil
	}
	return e.runStep(ctx, operation.StepRemoving, func(ctx context.Context) error {
		if err := e.engine.Remove(ctx, previous.CurrentContainerID); err != nil {
			e.service.log.Warn("cannot remove the previous container", "game_id", e.gameID, "container_id", previous.CurrentContainerID, "error", err)
		}
		return nil
	})
}

// reason returns the ledger reason of the operation's writes.
func (e *execution) reason() string {
	op := e.op()
	if op.Reason != "" {
		return op.Reason
	}
	if op.Kind == operation.KindPatch {
		return fmt.Sprintf("patch to %s", op.Spec.Image)
	}
	return string(op.Kind)
}

// stopGame stops the game and keeps its container.
func (e *execution) stopGame(ctx context.Context) error {
	if previous := e.op().PreviousRecord; previous == nil || previous.Status == runtime.StatusRemoved {
		return nil // the rollback of the preempted start has left nothing to stop
	}
	return e.runStep(ctx, operation.StepStopping, func(ctx context.Context) error { return e.stopPrevious(ctx, finalWrite) })
}

// stopPrevious stops the container that the record named before the operation, and sets
// the record to stopped. It stops the container of a stopped record too, because an
// operator may have started it by hand.
func (e *execution) stopPrevious(ctx context.Context, suffix writeSuffix) error {
	containerID := e.op().PreviousRecord.CurrentContainerID
	missing, err := e.stopContainer(ctx, containerID)
	if err != nil || e.op().PreviousRecord.Status == runtime.StatusStopped {
		return err
	}
	if missing && e.op().Kind == operation.KindStop {
		return e.setStatus(ctx, runtime.StatusRemoved, container.Container{}, suffix, "its container is missing")
	}
	reason := ports.TruncateReason(e.reason() + e.killText(ctx, containerID))
	return e.setStatus(ctx, runtime.StatusStopped, e.containerFromRecord(containerID), suffix, reason)
}

// killText describes a stop that had to kill the container, to be appended to a ledger
// reason. It is empty for a container that exited by itself.
func (e *execution) killText(ctx context.Context, containerID string) string {
	c, err := e.engine.Inspect(ctx, containerID)
	switch {
	case err != nil:
		return "" // the reason is for display only
	case c.StopKilled:
		return fmt.Sprintf("; killed, because it did not exit within %s", e.op().MinStopGrace())
	case e.op().MinStopGrace() == 0:
		return "; killed at once, as requested"
	default:
		return ""
	}
}

// containerFromRecord returns the container with the properties that the previous record
// has of it.
func (e *execution) containerFromRecord(containerID string) container.Container {
	c := container.Container{ID: containerID}
	if previous := e.op().PreviousRecord; e.isPreviousContainer(containerID) {
		c.Labels.Image, c.Labels.Generation, c.ImageDigest = previous.CurrentImageRef, previous.Generation, previous.ImageDigest
		c.Endpoint, c.StatePath, c.Network = previous.EngineEndpoint, previous.StatePath, previous.DockerNetwork
	}
	return c
}

// restartGame stops the game and starts it in the same container, or in a new one if its
// secrets have changed.
func (e *execution) restartGame(ctx context.Context) error {
	if e.op().Generation > 0 {
		return e.replaceRunning(ctx)
	}
	err := e.runStep(ctx, operation.StepStopping, func(ctx context.Context) error { return e.stopPrevious(ctx, intermediateWrite) })
	if err != nil {
		return err
	}
	return e.startAndWait(ctx, e.op().PreviousRecord.CurrentContainerID)
}

// cleanUpGame removes the container of a stopped game.
func (e *execution) cleanUpGame(ctx context.Context) error {
	previous := e.op().PreviousRecord
	if previous.Status == runtime.StatusRemoved {
		return nil
	}
	return e.runStep(ctx, operation.StepRemoving, func(ctx context.Context) error {
		if err := e.engine.Remove(ctx, previous.CurrentContainerID); err != nil {
			return err
		}
		return e.setStatus(ctx, runtime.StatusRemoved, container.Container{}, finalWrite, e.reason())
	})
}

// patchGame replaces the game's container by one of another image. The previous
// container is kept until the new one is healthy.
func (e *execution) patchGame(ctx context.Context) error {
	op := e.op()
	if op.Generation == 0 { // the container can serve the spec
		return e.updateRequests(ctx)
	}
	if err := e.pullAndCreate(ctx); err != nil {
		return err
	}
	if op.PreviousRecord.Status != runtime.StatusRunning {
		return e.replaceStopped(ctx)
	}
	return e.stopAndStartNew(ctx)
}

// replaceRunning starts the game in a new container. The previous one is stopped, and kept
// until the new one is healthy.
func (e *execution) replaceRunning(ctx context.Context) error {
	if err := e.pullAndCreate(ctx); err != nil {
		return err
	}
	return e.stopAndStartNew(ctx)
}

// stopAndStartNew stops the previous container, starts the one that the operation has created,
// and removes the previous one.
func (e *execution) stopAndStartNew(ctx context.Context) error {
	err := e.runStep(ctx, operation.StepStopping, func(ctx context.Context) error { return e.stopPrevious(ctx, intermediateWrite) })
	if err != nil {
		return err
	}
	if err := e.startAndWait(ctx, e.op().ContainerID); err != nil {
		return err
	}
	return e.removePrevious(ctx)
}

// replaceStopped replaces the container of a stopped game by the new one, which stays
// stopped.
func (e *execution) replaceStopped(ctx context.Context) error {
	err := e.runStep(ctx, operation.StepStopping, func(ctx context.Context) error {
		c, err := e.engine.Inspect(ctx, e.op().ContainerID)
		if err != nil {
			return err
		}
		return e.setStatus(ctx, runtime.StatusStopped, c, finalWrite, e.reason())
	})
	if err != nil {
		return err
	}
	return e.removePrevious(ctx)
}
