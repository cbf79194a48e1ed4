package lifecycle

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// startGame brings the game up: in the container that it has, or in a new one.
func (r *execution) startGame(ctx context.Context) error {
	op := r.op()
	if op.Generation == 0 {
		return r.startAndWait(ctx, op.PreviousRecord.CurrentContainerID)
	}
	if err := r.pullAndCreate(ctx); err != nil {
		return err
	}
	if err := r.startAndWait(ctx, r.op().ContainerID); err != nil {
		return err
	}
	return r.removePrevious(ctx)
}

// startAndWait starts the container, makes the record say so, and waits until the game
// is well.
func (r *execution) startAndWait(ctx context.Context, containerID string) error {
	err := r.runStep(ctx, operation.StepStarting, func(ctx context.Context) error {
		c, err := r.startContainer(ctx, containerID)
		if err != nil {
			return err
		}
		return r.setStatus(ctx, runtime.StatusRunning, c, finalWrite, r.reason())
	})
	if err != nil {
		return err
	}
	return r.runStep(ctx, operation.StepAwaitingHealth, func(ctx context.Context) error {
		if r.op().Kind == operation.KindReschedule {
			return nil // there is nothing to go back to: whether it is well, the health worker sees
		}
		return r.awaitHealth(ctx, containerID)
	})
}

// removePrevious removes the container that the new one has taken the place of. The new
// one is well, and nothing is undone for the sake of the old one: if it cannot be
// removed now it is stale, and reconciled away. That of a node that is gone is out of
// reach: the node removes it when it comes back.
func (r *execution) removePrevious(ctx context.Context) error {
	before := r.op().PreviousRecord
	if before == nil || before.CurrentContainerID == "" || !r.service.isLocal(before.Region, before.Node) {
		return nil
	}
	return r.runStep(ctx, operation.StepRemoving, func(ctx context.Context) error {
		if err := r.service.Engine.Remove(ctx, before.CurrentContainerID); err != nil {
			r.service.log.Warn("the container before could not be removed", "game_id", r.gameID, "container_id", before.CurrentContainerID, "error", err)
		}
		return nil
	})
}

// reason is what the ledger says of why the record changed.
func (r *execution) reason() string {
	op := r.op()
	if op.Reason != "" {
		return op.Reason
	}
	if op.Kind == operation.KindPatch {
		return fmt.Sprintf("patch to %s", op.Spec.Image)
	}
	return string(op.Kind)
}

// stop ends the game and keeps its container.
func (r *execution) stop(ctx context.Context) error {
	return r.runStep(ctx, operation.StepStopping, func(ctx context.Context) error { return r.stopPrevious(ctx, finalWrite) })
}

// stopPrevious stops the container that the game had and makes the record say so. A record that
// says so already may be behind: somebody has started the container since.
func (r *execution) stopPrevious(ctx context.Context, as writeSuffix) error {
	containerID := r.op().PreviousRecord.CurrentContainerID
	gone, err := r.stopContainer(ctx, containerID)
	if err != nil || r.op().PreviousRecord.Status == runtime.StatusStopped {
		return err
	}
	if gone && r.op().Kind == operation.KindStop {
		return r.setStatus(ctx, runtime.StatusRemoved, container.Container{}, as, "its container is gone")
	}
	return r.setStatus(ctx, runtime.StatusStopped, r.containerFromRecord(containerID), as, r.reason())
}

// containerFromRecord is the container of an id about which nothing else has to be known.
func (r *execution) containerFromRecord(containerID string) container.Container {
	c := container.Container{ID: containerID}
	if before := r.op().PreviousRecord; r.isPreviousContainer(containerID) {
		c.Labels.Image, c.Labels.Generation = before.CurrentImageRef, before.Generation
		c.Endpoint, c.StatePath, c.Network = before.EngineEndpoint, before.StatePath, before.DockerNetwork
	}
	return c
}

// restart ends the game and brings it up again in the same container.
func (r *execution) restart(ctx context.Context) error {
	if err := r.runStep(ctx, operation.StepStopping, func(ctx context.Context) error { return r.stopPrevious(ctx, intermediateWrite) }); err != nil {
		return err
	}
	return r.startAndWait(ctx, r.op().PreviousRecord.CurrentContainerID)
}

// cleanup removes the container of a game that is stopped.
func (r *execution) cleanup(ctx context.Context) error {
	before := r.op().PreviousRecord
	if before.Status == runtime.StatusRemoved {
		return nil
	}
	return r.runStep(ctx, operation.StepRemoving, func(ctx context.Context) error {
		if err := r.service.Engine.Remove(ctx, before.CurrentContainerID); err != nil {
			return err
		}
		return r.setStatus(ctx, runtime.StatusRemoved, container.Container{}, finalWrite, r.reason())
	})
}

// patch gives the game a container of another image. The old one is kept until the
// new one is well.
func (r *execution) patch(ctx context.Context) error {
	op := r.op()
	if op.Generation == 0 {
		return nil // it has this image
	}
	if err := r.pullAndCreate(ctx); err != nil {
		return err
	}
	if op.PreviousRecord.Status != runtime.StatusRunning {
		return r.replaceStopped(ctx)
	}
	if err := r.runStep(ctx, operation.StepStopping, func(ctx context.Context) error { return r.stopPrevious(ctx, intermediateWrite) }); err != nil {
		return err
	}
	if err := r.startAndWait(ctx, r.op().ContainerID); err != nil {
		return err
	}
	return r.removePrevious(ctx)
}

// replaceStopped gives a game that is stopped its new container, which stays stopped too.
func (r *execution) replaceStopped(ctx context.Context) error {
	err := r.runStep(ctx, operation.StepStopping, func(ctx context.Context) error {
		c, err := r.service.Engine.Inspect(ctx, r.op().ContainerID)
		if err != nil {
			return err
		}
		return r.setStatus(ctx, runtime.StatusStopped, c, finalWrite, r.reason())
	})
	if err != nil {
		return err
	}
	return r.removePrevious(ctx)
}
