package dockerengine

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"
	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// Remove deletes the container, killing it first where it runs, and the volumes
// that the engine made for it alone. The game's state directory stays. One that is
// not there, or not ours, is success, and is left alone.
func (e *Engine) Remove(ctx context.Context, containerID string) error {
	err := e.remove(ctx, containerID)
	if err != nil && !errors.Is(err, container.ErrNoContainer) {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}

func (e *Engine) remove(ctx context.Context, id string) error {
	if _, err := e.look(ctx, id); err != nil {
		return err
	}
	_, err := within(ctx, e.cfg.CallTimeout, "container "+id, func(ctx context.Context) (client.ContainerRemoveResult, error) {
		return e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	})
	if !refused(err) {
		return unavailable(err)
	}
	if errdefs.IsConflict(err) { // somebody else is removing it
		if waited := e.wait(ctx, id, mobycontainer.WaitConditionRemoved); waited != nil && !refused(waited) {
			return unavailable(waited)
		}
	}
	if _, gone := e.look(ctx, id); gone != nil {
		return gone
	}
	return unavailable(err)
}
