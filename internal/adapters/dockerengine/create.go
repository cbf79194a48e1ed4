package dockerengine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/containerd/errdefs"
	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Create makes a container of the spec and does not start it. A try whose answer
// was lost may have made one: the next finds it by its labels, or by its name.
func (e *Engine) Create(ctx context.Context, spec container.Spec) (container.Container, error) {
	made, err := e.create(ctx, e.completed(spec))
	if err != nil {
		return container.Container{}, fmt.Errorf("create container %s: %w", spec.Name, err)
	}
	return made, nil
}

func (e *Engine) create(ctx context.Context, spec container.Spec) (container.Container, error) {
	if err := e.checkSpec(spec); err != nil {
		return container.Container{}, err
	}
	if made, found, err := e.madeBefore(ctx, spec); err != nil || found {
		return made, err
	}
	networkName, err := e.findNetwork(ctx, spec.Network)
	if err != nil {
		return container.Container{}, err
	}
	stateDir, err := e.makeStateDir(spec.Labels.GameID)
	if err != nil {
		return container.Container{}, err
	}
	options := e.options(spec, networkName, stateDir)
	// A name is taken a moment before its container is there to be inspected, and
	// free a moment after it is gone.
	made, err := backoff.Retry(ctx, func() (container.Container, error) {
		made, err := e.createOnce(ctx, spec, options)
		if errdefs.IsNotFound(err) {
			return made, err
		}
		return made, backoff.Permanent(err)
	}, backoff.WithBackOff(backoff.NewConstantBackOff(50*time.Millisecond)), backoff.WithMaxElapsedTime(e.cfg.CallTimeout))
	switch {
	case err != nil && ctx.Err() != nil:
		return container.Container{}, gaveUp(ctx, err)
	case errdefs.IsNotFound(err):
		return container.Container{}, unavailable(err)
	}
	return made, err
}

// createOnce tries to create the container. It returns a "not found" of the
// engine if the name is taken, and nobody has it.
func (e *Engine) createOnce(ctx context.Context, spec container.Spec, options client.ContainerCreateOptions) (container.Container, error) {
	created, err := within(ctx, e.cfg.CallTimeout, "create", func(ctx context.Context) (client.ContainerCreateResult, error) {
		return e.api.ContainerCreate(ctx, options)
	})
	for _, warning := range created.Warnings {
		e.cfg.Logger.Warn("the engine warns of a container", "container_id", created.ID, "game_id", spec.Labels.GameID, "warning", warning)
	}
	switch {
	case err == nil:
		return e.made(ctx, created.ID)
	case errdefs.IsConflict(err):
		return e.holder(ctx, spec)
	case errdefs.IsNotFound(err):
		return container.Container{}, translated(container.ErrNoImage, err)
	case errdefs.IsInvalidArgument(err):
		return container.Container{}, &runtime.InvalidError{Field: "container", Reason: "is refused by the engine: " + words(err)}
	}
	return container.Container{}, unavailable(err)
}

// madeBefore returns the container that an earlier try of the same operation made
// under this name, if it did, whatever a person has called it since.
func (e *Engine) madeBefore(ctx context.Context, spec container.Spec) (made container.Container, found bool, err error) {
	listed, err := e.summaries(ctx, "look for an earlier try", e.ours(map[string]string{
		labelGameID: spec.Labels.GameID, labelOperation: spec.Labels.OperationID, labelName: spec.Name,
	}))
	for _, c := range listed {
		made, err := e.look(ctx, c.ID)
		if errors.Is(err, container.ErrNoContainer) {
			continue
		}
		return made, err == nil, err
	}
	return container.Container{}, false, err
}

// made looks at the container that the engine says it has made.
func (e *Engine) made(ctx context.Context, id string) (container.Container, error) {
	made, err := e.look(ctx, id)
	if errors.Is(err, container.ErrNoContainer) {
		return container.Container{}, nonsense("it made container %q, which is not there", id)
	}
	return made, err
}

// holder returns the container that has the spec's name, if the same operation
// made it. If nobody has the name after all, that is a "not found" of the engine.
func (e *Engine) holder(ctx context.Context, spec container.Spec) (container.Container, error) {
	c, err := within(ctx, e.cfg.CallTimeout, "look for who has the name", func(ctx context.Context) (mobycontainer.InspectResponse, error) {
		return e.inspect(ctx, spec.Name)
	})
	if errdefs.IsNotFound(err) {
		return container.Container{}, err
	}
	if err != nil {
		return container.Container{}, unavailable(err)
	}
	held, err := e.own(c)
	if err == nil && held.Labels.GameID == spec.Labels.GameID && held.Labels.OperationID == spec.Labels.OperationID {
		return held, nil
	}
	if err != nil {
		return container.Container{}, fmt.Errorf("%w: %s, which is not of this node's games; remove or rename it", container.ErrContainerExists, c.ID)
	}
	return container.Container{}, fmt.Errorf("%w: %s, made by operation %q", container.ErrContainerExists, held.ID, held.Labels.OperationID)
}
