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

// fullID is the only form in which Create hands out an id. The engine would take
// names and the beginnings of ids too, and its client would take a path.
var fullID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Inspect returns the container as it is now.
func (e *Engine) Inspect(ctx context.Context, containerID string) (container.Container, error) {
	found, err := e.look(ctx, containerID)
	if err != nil {
		return container.Container{}, fmt.Errorf("inspect: %w", err)
	}
	return found, nil
}

// look returns a container of ours as it is now. One that is not there, or not
// ours, is runtime.ErrNoContainer.
func (e *Engine) look(ctx context.Context, id string) (container.Container, error) {
	if !fullID.MatchString(id) {
		return container.Container{}, noContainer(id)
	}
	c, err := within(ctx, e.cfg.CallTimeout, "container "+id, func(ctx context.Context) (mobycontainer.InspectResponse, error) {
		return e.inspect(ctx, id)
	})
	if errdefs.IsNotFound(err) {
		return container.Container{}, e.confirmGone(ctx, id)
	}
	if err != nil {
		return container.Container{}, unavailable(err)
	}
	return e.own(c)
}

// inspect asks for a container by its id or name. It returns the engine's refusals
// as they are.
func (e *Engine) inspect(ctx context.Context, ref string) (mobycontainer.InspectResponse, error) {
	answer, err := e.api.ContainerInspect(ctx, ref, client.ContainerInspectOptions{})
	if err != nil {
		return mobycontainer.InspectResponse{}, err
	}
	c := answer.Container
	same := c.ID == ref || !fullID.MatchString(ref) && c.Name == "/"+ref
	if !same || !fullID.MatchString(c.ID) || c.State == nil || c.Config == nil || c.HostConfig == nil {
		return mobycontainer.InspectResponse{}, nonsense("asked for container %s, it described %q", ref, c.ID)
	}
	return c, nil
}

// own describes the container if it is ours, and else says runtime.ErrNoContainer.
// What is made of a commit of our container has all its labels, and another image.
func (e *Engine) own(c mobycontainer.InspectResponse) (container.Container, error) {
	labels, ok := e.owned(c.Config.Labels)
	if !ok || labels.Image != c.Config.Image {
		return container.Container{}, noContainer(c.ID)
	}
	return e.describe(c, labels), nil
}

// confirmGone asks once more, in another way, whether a container is really not
// there: much follows from that, and everything that serves HTTP can say 404.
func (e *Engine) confirmGone(ctx context.Context, id string) error {
	listed, err := e.summaries(ctx, "confirm that container "+id+" is gone", client.Filters{}.Add("id", id))
	if err != nil {
		return err
	}
	for _, c := range listed {
		if c.ID == id {
			return nonsense("it lists container %s and does not know it", id)
		}
	}
	return noContainer(id)
}

// summaries lists containers, running or not.
func (e *Engine) summaries(ctx context.Context, what string, filters client.Filters) ([]mobycontainer.Summary, error) {
	listed, err := within(ctx, e.cfg.CallTimeout, what, func(ctx context.Context) (client.ContainerListResult, error) {
		return e.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	})
	if err != nil {
		return nil, unavailable(err)
	}
	if listed.Items == nil { // an engine without containers says []
		return nil, nonsense("%s: the answer is no list", what)
	}
	for _, c := range listed.Items {
		if !fullID.MatchString(c.ID) {
			return nil, nonsense("%s: the list holds a container of id %q", what, c.ID)
		}
	}
	return listed.Items, nil
}
