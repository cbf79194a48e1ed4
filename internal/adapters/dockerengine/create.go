package dockerengine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/containerd/errdefs"
	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
)

// Create implements ports.Engine. An attempt whose response was lost can have created the
// container; the next attempt finds it by its labels or by its name.
func (e *Engine) Create(ctx context.Context, spec container.Spec) (container.Container, error) {
	created, err := e.create(ctx, e.withDefaults(spec))
	if err != nil {
		return container.Container{}, fmt.Errorf("create container %s: %w", spec.Name, err)
	}
	return created, nil
}

// ValidateSpec implements ports.Engine. The engine itself reports some faults only to Create.
func (e *Engine) ValidateSpec(ctx context.Context, spec container.Spec) error {
	if ctx.Err() != nil {
		return unavailable(ctx.Err())
	}
	return e.validateSpec(e.withDefaults(spec))
}

func (e *Engine) create(ctx context.Context, spec container.Spec) (container.Container, error) {
	if err := e.validateSpec(spec); err != nil {
		return container.Container{}, err
	}
	if existing, found, err := e.findPreviousAttempt(ctx, spec); err != nil || found {
		return existing, err
	}
	networkName, err := e.findNetwork(ctx, spec.Network)
	if err != nil {
		return container.Container{}, err
	}
	stateDir, err := e.makeStateDir(spec.Labels.GameID)
	if err != nil {
		return container.Container{}, err
	}
	secrets, err := e.resolveSecrets(ctx, spec)
	if err != nil {
		return container.Container{}, err
	}
	spec, release, err := e.reservePorts(ctx, spec)
	if err != nil {
		return container.Container{}, err
	}
	defer release()
	options := e.createOptions(spec, secrets, networkName, stateDir)
	// The engine reserves a name a moment before Inspect finds the container, and frees it a
	// moment after Inspect no longer does.
	created, err := backoff.Retry(ctx, func() (container.Container, error) {
		created, err := e.createOnce(ctx, spec, options)
		if errdefs.IsNotFound(err) {
			return created, err
		}
		return created, backoff.Permanent(err)
	}, backoff.WithBackOff(backoff.NewConstantBackOff(50*time.Millisecond)), backoff.WithMaxElapsedTime(e.cfg.CallTimeout))
	switch {
	case err != nil && ctx.Err() != nil:
		return container.Container{}, contextError(ctx, err)
	case errdefs.IsNotFound(err):
		return container.Container{}, unavailable(err)
	}
	return created, err
}

// resolveSecrets returns the values of the secrets of the spec.
func (e *Engine) resolveSecrets(ctx context.Context, spec container.Spec) (secret.Values, error) {
	if len(spec.Secrets) == 0 {
		return nil, nil
	}
	env, err := e.cfg.Secrets.ResolveSecrets(ctx, spec.Labels.GameID, spec.Secrets)
	if err != nil && !errors.Is(err, secret.ErrUnresolved) {
		return nil, unavailable(err)
	}
	return env.Values, err
}

// createOnce tries to create the container. It returns a "not found" error of the engine
// if the name is in use but no container has it.
func (e *Engine) createOnce(ctx context.Context, spec container.Spec, options client.ContainerCreateOptions) (container.Container, error) {
	created, err := callWithTimeout(ctx, e.cfg.CallTimeout, "create", func(ctx context.Context) (client.ContainerCreateResult, error) {
		return e.api.ContainerCreate(ctx, options)
	})
	for _, warning := range created.Warnings {
		e.cfg.Logger.Warn("warning of the engine about a container", "container_id", created.ID, "game_id", spec.Labels.GameID, "warning", warning)
	}
	switch {
	case err == nil:
		return e.inspectCreated(ctx, created.ID)
	case errdefs.IsConflict(err), errdefs.IsInternal(err) && strings.Contains(err.Error(), "already in use"): // Podman returns 500
		return e.findByName(ctx, spec)
	case errdefs.IsNotFound(err):
		return container.Container{}, asError(container.ErrNoImage, err)
	case errdefs.IsInvalidArgument(err):
		return container.Container{}, &runtime.InvalidError{Field: "container", Reason: "is rejected by the engine: " + engineMessage(err)}
	}
	return container.Container{}, unavailable(err)
}

// findPreviousAttempt returns the container that an earlier attempt of the same operation
// created with this name, even if an operator has renamed it since.
func (e *Engine) findPreviousAttempt(ctx context.Context, spec container.Spec) (existing container.Container, found bool, err error) {
	listed, err := e.listSummaries(ctx, "find an earlier attempt", e.ownedFilter(map[string]string{
		labelGameID: spec.Labels.GameID, labelOperation: spec.Labels.OperationID, labelName: spec.Name,
	}))
	for _, c := range listed {
		existing, err := e.inspectOwned(ctx, c.ID)
		if errors.Is(err, container.ErrNoContainer) {
			continue
		}
		return existing, err == nil, err
	}
	return container.Container{}, false, err
}

// inspectCreated returns a container that the engine has reported as created.
func (e *Engine) inspectCreated(ctx context.Context, id string) (container.Container, error) {
	created, err := e.inspectOwned(ctx, id)
	if errors.Is(err, container.ErrNoContainer) {
		return container.Container{}, malformedResponse("it created container %q, which does not exist", id)
	}
	return created, err
}

// findByName returns the container with the name of the spec if the same operation created
// it, and container.ErrContainerExists otherwise. It returns a "not found" error of the
// engine if no container has the name.
func (e *Engine) findByName(ctx context.Context, spec container.Spec) (container.Container, error) {
	c, err := callWithTimeout(ctx, e.cfg.CallTimeout, "find the container with the name", func(ctx context.Context) (mobycontainer.InspectResponse, error) {
		return e.inspect(ctx, spec.Name)
	})
	if errdefs.IsNotFound(err) {
		return container.Container{}, err
	}
	if err != nil {
		return container.Container{}, unavailable(err)
	}
	existing, err := e.translateInspect(c)
	if err == nil && existing.Labels.GameID == spec.Labels.GameID && existing.Labels.OperationID == spec.Labels.OperationID {
		return existing, nil
	}
	if err != nil {
		return container.Container{}, fmt.Errorf("%w: %s, which is not a container of this node's games; remove or rename it", container.ErrContainerExists, c.ID)
	}
	return container.Container{}, fmt.Errorf("%w: %s, created by operation %q", container.ErrContainerExists, existing.ID, existing.Labels.OperationID)
}
