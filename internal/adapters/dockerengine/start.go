package dockerengine

import (
	"context"
	"fmt"

	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
)

// Start starts a container that was created or has exited. The engine's reasons
// have no codes: whatever it said, a container that it describes as not running
// did not start.
func (e *Engine) Start(ctx context.Context, containerID string) error {
	if err := e.start(ctx, containerID); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	return nil
}

func (e *Engine) start(ctx context.Context, id string) error {
	before, err := e.look(ctx, id)
	if err != nil {
		return err
	}
	_, err = within(ctx, e.cfg.CallTimeout, "container "+id, func(ctx context.Context) (client.ContainerStartResult, error) {
		return e.api.ContainerStart(ctx, id, client.ContainerStartOptions{})
	})
	if !refused(err) {
		return unavailable(err)
	}
	now, lookErr := e.look(ctx, id)
	if lookErr != nil {
		return lookErr
	}
	if now.State == container.StateRunning || !sameInstant(before.StartedAt, now.StartedAt) {
		return nil // it has been started, and has perhaps been stopped since
	}
	return translated(operation.ErrStartFailed, err)
}
