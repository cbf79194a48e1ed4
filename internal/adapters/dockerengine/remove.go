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

// Remove implements ports.Engine. It also removes the anonymous volumes of the container,
// but not the state directory of the game. It returns nil and does nothing for a container
// that is not owned.
func (e *Engine) Remove(ctx context.Context, containerID string) error {
	err := e.remove(ctx, containerID)
	if err != nil && !errors.Is(err, container.ErrNoContainer) {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}

func (e *Engine) remove(ctx context.Context, id string) error {
	if _, err := e.inspectOwned(ctx, id); err != nil {
		return err
	}
	_, err := callWithTimeout(ctx, e.cfg.CallTimeout, "container "+id, func(ctx context.Context) (client.ContainerRemoveResult, error) {
		return e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	})
	if err == nil {
		e.kills.remove(id)
	}
	if !isEngineError(err) {
		return unavailable(err)
	}
	if errdefs.IsConflict(err) { // another caller is removing it
		if waitErr := e.wait(ctx, id, mobycontainer.WaitConditionRemoved); waitErr != nil && !isEngineError(waitErr) {
			return unavailable(waitErr)
		}
	}
	if _, inspectErr := e.inspectOwned(ctx, id); inspectErr != nil {
		return inspectErr
	}
	return unavailable(err)
}
