package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
)

// sessionEngine is the engine of one execution, for its game. The engine cannot check a fence, so each
// call that changes it fails with errSuperseded unless the session still exists under which the
// operation was accepted or claimed. Reads are not checked.
type sessionEngine struct {
	gameEngine
	session ports.NodeSession
	fence   node.Fence
}

// checkSession returns errSuperseded unless the session still exists.
func (e sessionEngine) checkSession() error {
	if fence, joined := e.session.Fence(); !joined || fence != e.fence {
		return fmt.Errorf("%w: this daemon has lost its session", errSuperseded)
	}
	return nil
}

// EnsureImage implements ports.Engine.
func (e sessionEngine) EnsureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	if err := e.checkSession(); err != nil {
		return err
	}
	return e.Engine.EnsureImage(ctx, image, progress)
}

// PullImage implements ports.Engine.
func (e sessionEngine) PullImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	if err := e.checkSession(); err != nil {
		return err
	}
	return e.Engine.PullImage(ctx, image, progress)
}

// Create implements ports.Engine.
func (e sessionEngine) Create(ctx context.Context, spec container.Spec) (container.Container, error) {
	if err := e.checkSession(); err != nil {
		return container.Container{}, err
	}
	return e.Engine.Create(ctx, spec)
}

// Start implements ports.Engine.
func (e sessionEngine) Start(ctx context.Context, containerID string) error {
	if _, err := e.Inspect(ctx, containerID); err != nil {
		return err
	}
	if err := e.checkSession(); err != nil {
		return err
	}
	return e.Engine.Start(ctx, containerID)
}

// Stop implements ports.Engine.
func (e sessionEngine) Stop(ctx context.Context, containerID string, grace time.Duration) error {
	if _, err := e.Inspect(ctx, containerID); err != nil {
		return err
	}
	if err := e.checkSession(); err != nil {
		return err
	}
	return e.Engine.Stop(ctx, containerID, grace)
}

// Remove implements ports.Engine.
func (e sessionEngine) Remove(ctx context.Context, containerID string) error {
	_, err := e.Inspect(ctx, containerID)
	switch {
	case errors.Is(err, container.ErrNoContainer):
		return nil
	case err != nil:
		return err
	}
	if err := e.checkSession(); err != nil {
		return err
	}
	return e.Engine.Remove(ctx, containerID)
}

// RemoveForeign implements ports.Engine.
func (e sessionEngine) RemoveForeign(ctx context.Context, gameID string, grace time.Duration) error {
	if err := e.checkSession(); err != nil {
		return err
	}
	return e.Engine.RemoveForeign(ctx, gameID, grace)
}
