package processengine

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/domain/container"
)

// Inspect knows from memory what a container does: the watch on its pipe keeps
// that true.
func (e *Engine) Inspect(ctx context.Context, containerID string) (container.Container, error) {
	_, done, err := e.begin(ctx)
	if err != nil {
		return container.Container{}, err
	}
	defer done()
	c, err := e.find(containerID)
	if err != nil {
		return container.Container{}, err
	}
	return e.look(c)
}

// List lists a container whose spec.json cannot be read as ContainerUnknown, and
// only with all games: which game's it is, nobody can tell.
func (e *Engine) List(ctx context.Context, gameID string) ([]container.Container, error) {
	_, done, err := e.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	listed := []container.Container{}
	for _, c := range e.all() {
		if gameID != "" && c.spec.Labels.GameID != gameID {
			continue
		}
		told, err := e.look(c)
		switch {
		case err == nil:
			listed = append(listed, told)
		case !errors.Is(err, container.ErrNoContainer):
			return nil, err
		}
	}
	return listed, nil
}

// look describes the container; one whose directory somebody has deleted is gone. The
// engine has not removed it, and does not say so.
func (e *Engine) look(c *processContainer) (container.Container, error) {
	lost, err := e.lost(c)
	if err != nil {
		return container.Container{}, err
	}
	if lost {
		e.forget(c)
		return container.Container{}, noContainer(c.id)
	}
	return c.describe(e.cfg), nil
}
