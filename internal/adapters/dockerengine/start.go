package dockerengine

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
)

// Start implements ports.Engine. The engine's errors have no codes for their reasons: after
// any error, a container that the engine describes as not running did not start.
func (e *Engine) Start(ctx context.Context, containerID string) error {
	if err := e.start(ctx, containerID); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	return nil
}

func (e *Engine) start(ctx context.Context, id string) error {
	before, err := e.inspectOwned(ctx, id)
	if err != nil {
		return err
	}
	_, err = callWithTimeout(ctx, e.cfg.CallTimeout, "container "+id, func(ctx context.Context) (client.ContainerStartResult, error) {
		return e.api.ContainerStart(ctx, id, client.ContainerStartOptions{})
	})
	if !isEngineError(err) {
		return unavailable(err)
	}
	now, inspectErr := e.inspectOwned(ctx, id)
	if inspectErr != nil {
		return inspectErr
	}
	if now.State == container.StateRunning || !isEqualTime(before.StartedAt, now.StartedAt) {
		return nil // it has started, and may have exited since
	}
	failed := asError(operation.ErrStartFailed, err)
	if errdefs.IsInvalidArgument(err) {
		return failed // a program that does not exist or cannot be executed: the image's fault
	}
	return container.NodeFault(failed) // a port in use, a missing network, a full disk
}
