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
func (r *run) rollBack(ctx context.Context) error {
	var made []string
	if r.op().Generation > 0 {
		var err error
		if made, err = r.stopNew(ctx); err != nil {
			return err
		}
	}
	err := r.restore(ctx)
	if err != nil && !errors.Is(err, runtime.ErrConflict) { // a record that is somebody else's now is left to him
		return err
	}
	for _, id := range made {
		if err := r.s.Engine.Remove(ctx, id); err != nil {
			// It does not run, and is stale: the reconcile worker goes on trying.
			r.s.log.Warn("the container of a failed operation could not be removed", "game_id", r.gameID, "container_id", id, "error", err)
		}
	}
	return nil
}

// stopNew stops the containers that the operation made, and returns their ids.
// Whether it made one, the engine knows better than the intent: the answer of Create may
// have been lost.
func (r *run) stopNew(ctx context.Context) ([]string, error) {
	containers, err := r.s.Engine.List(ctx, r.gameID)
	if err != nil {
		return nil, err
	}
	var made []string
	for _, c := range containers {
		if c.Labels.OperationID != r.op().ID || r.isBefore(c.ID) {
			continue
		}
		if !r.present() {
			return nil, errOvertaken
		}
		if _, err := r.takeDown(ctx, c.ID); err != nil {
			return nil, err
		}
		made = append(made, c.ID)
	}
	return made, nil
}

// restore brings the game back to what it was before the operation.
func (r *run) restore(ctx context.Context) error {
	op := r.op()
	before := op.PreviousRecord
	if before == nil || before.Status == runtime.StatusRemoved || !r.s.here(before.Region, before.Node) {
		return r.forget(ctx)
	}
	switch {
	case before.Status == runtime.StatusRunning && op.Kind != operation.KindStop:
		alone, err := r.silenceInTime(ctx, before.CurrentContainerID)
		if err != nil {
			return err
		}
		if !alone {
			r.s.log.Error("the game stays down: another live container of it cannot be stopped", "game_id", r.gameID)
			break
		}
		err = r.s.Engine.Start(ctx, before.CurrentContainerID)
		if err != nil && !errors.Is(err, operation.ErrStartFailed) && !errors.Is(err, container.ErrNoContainer) {
			return err
		}
	case before.Status == runtime.StatusStopped && op.Kind != operation.KindRestart:
		if _, err := r.takeDown(ctx, before.CurrentContainerID); err != nil {
			return err
		}
	}
	return r.settleOn(ctx, before.CurrentContainerID)
}

// silenceInTime is silence that leaves time for the rest of a roll back. It is false
// where that has not been enough.
func (r *run) silenceInTime(ctx context.Context, except string) (alone bool, err error) {
	bound, cancel := context.WithTimeout(ctx, time.Duration(r.op().Spec.WithDefaults().StopGrace)+r.s.cfg.Patience/2)
	defer cancel()
	err = r.silence(bound, except)
	if err != nil && bound.Err() != nil && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}

// forget is for a game that had no container here: a record that the operation
// wrote of its own ends.
func (r *run) forget(ctx context.Context) error {
	current, _, err := r.s.find(ctx, r.gameID)
	if err != nil || current == nil || r.op().ContainerID == "" || current.CurrentContainerID != r.op().ContainerID {
		return err
	}
	return r.become(ctx, runtime.StatusRemoved, container.Container{}, rolledBack, r.blame())
}

// settleOn makes the record say what the engine says of the container.
func (r *run) settleOn(ctx context.Context, containerID string) error {
	c, err := r.s.Engine.Inspect(ctx, containerID)
	switch {
	case errors.Is(err, container.ErrNoContainer):
		return r.become(ctx, runtime.StatusRemoved, container.Container{}, rolledBack, r.blame())
	case err != nil:
		return err
	case c.State == container.StateRunning:
		return r.become(ctx, runtime.StatusRunning, c, rolledBack, r.blame())
	case c.State == container.StateUnknown:
		return container.ErrEngineUnavailable
	default:
		return r.become(ctx, runtime.StatusStopped, c, rolledBack, r.blame())
	}
}

// blame is what the ledger says of a record that was put back.
func (r *run) blame() string {
	text := string(r.op().Kind) + " failed"
	if failure := r.op().Failure; failure != nil {
		text += ": " + failure.Message
	}
	return cut(text, ports.MaxReasonBytes)
}
