package processengine

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/domain/container"
)

// Inspect implements ports.Engine. It returns the state in memory, which the goroutine that
// reads the container's pipe keeps up to date.
func (e *Engine) Inspect(ctx context.Context, containerID string) (container.Container, error) {
	_, end, err := e.begin(ctx)
	if err != nil {
		return container.Container{}, err
	}
	defer end()
	c, err := e.find(containerID)
	if err != nil {
		return container.Container{}, err
	}
	return e.inspect(c)
}

// List implements ports.Engine. A container whose spec.json cannot be read has the state
// container.StateUnknown. It is only in the list of all games, since its game is unknown.
func (e *Engine) List(ctx context.Context, gameID string) ([]container.Container, error) {
	_, end, err := e.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	listed := []container.Container{}
	for _, c := range e.allContainers() {
		if gameID != "" && c.spec.Labels.GameID != gameID {
			continue
		}
		described, err := e.inspect(c)
		switch {
		case err == nil:
			listed = append(listed, described)
		case !errors.Is(err, container.ErrNoContainer):
			return nil, err
		}
	}
	return listed, nil
}

// inspect describes the container. If another program has deleted its directory, inspect
// drops the container and returns container.ErrNoContainer. It emits no event, since the
// engine has not removed the container.
func (e *Engine) inspect(c *processContainer) (container.Container, error) {
	deleted, err := e.isDeleted(c)
	if err != nil {
		return container.Container{}, err
	}
	if deleted {
		e.drop(c)
		return container.Container{}, noContainer(c.id)
	}
	return c.describe(e.cfg), nil
}
