package dockerengine

import (
	"context"
	"fmt"
	"regexp"

	"github.com/containerd/errdefs"
	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// idPattern matches the ids that Create returns. The engine would also accept names and
// prefixes of ids, and its client would accept a path.
var idPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Inspect implements ports.Engine.
func (e *Engine) Inspect(ctx context.Context, containerID string) (container.Container, error) {
	found, err := e.inspectOwned(ctx, containerID)
	if err != nil {
		return container.Container{}, fmt.Errorf("inspect: %w", err)
	}
	inspected := []container.Container{found}
	if err := e.addEngineRestart(ctx, inspected); err != nil {
		return container.Container{}, fmt.Errorf("inspect: %w", err)
	}
	return inspected[0], nil
}

// inspectOwned returns the container. It returns container.ErrNoContainer if there is no
// such container or if it is not owned.
func (e *Engine) inspectOwned(ctx context.Context, id string) (container.Container, error) {
	if !idPattern.MatchString(id) {
		return container.Container{}, noContainer(id)
	}
	c, err := callWithTimeout(ctx, e.cfg.CallTimeout, "container "+id, func(ctx context.Context) (mobycontainer.InspectResponse, error) {
		return e.inspect(ctx, id)
	})
	if errdefs.IsNotFound(err) {
		return container.Container{}, e.confirmMissing(ctx, id)
	}
	if err != nil {
		return container.Container{}, unavailable(err)
	}
	return e.translateInspect(c)
}

// inspect returns the engine's description of the container with the id or name. It returns
// errors of the engine untranslated.
func (e *Engine) inspect(ctx context.Context, ref string) (mobycontainer.InspectResponse, error) {
	response, err := e.api.ContainerInspect(ctx, ref, client.ContainerInspectOptions{})
	if err != nil {
		return mobycontainer.InspectResponse{}, err
	}
	c := response.Container
	isRequested := c.ID == ref || !idPattern.MatchString(ref) && c.Name == "/"+ref
	if !isRequested || !idPattern.MatchString(c.ID) || c.State == nil || c.Config == nil || c.HostConfig == nil {
		return mobycontainer.InspectResponse{}, malformedResponse("it described container %q in response to container %s", c.ID, ref)
	}
	return c, nil
}

// translateInspect translates the description of an owned container, and returns
// container.ErrNoContainer for another. A container that was created from a commit of an
// owned container has all its labels, but another image.
func (e *Engine) translateInspect(c mobycontainer.InspectResponse) (container.Container, error) {
	labels, ok := e.parseOwnedLabels(c.ID, c.Config.Labels)
	if !ok || !isSameImage(c.Config.Image, labels.Image) {
		return container.Container{}, noContainer(c.ID)
	}
	return e.describe(c, labels), nil
}

// confirmMissing returns container.ErrNoContainer if the engine's list confirms that the
// container does not exist. Callers act on this error, and a proxy can return 404 too.
func (e *Engine) confirmMissing(ctx context.Context, id string) error {
	listed, err := e.listSummaries(ctx, "confirm that container "+id+" does not exist", client.Filters{}.Add("id", id))
	if err != nil {
		return err
	}
	for _, c := range listed {
		if c.ID == id {
			return malformedResponse("it lists container %s but does not find it", id)
		}
	}
	return noContainer(id)
}
