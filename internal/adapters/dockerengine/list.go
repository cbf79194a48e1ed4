package dockerengine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/errdefs"
	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// maxConcurrentInspects is the number of concurrent calls; the client keeps six
// connections.
const maxConcurrentInspects = 6

// List implements ports.Engine.
func (e *Engine) List(ctx context.Context, gameID string) ([]container.Container, error) {
	var game map[string]string
	if gameID != "" {
		game = map[string]string{labelGameID: gameID}
	}
	listed, err := e.listSummaries(ctx, "list containers", e.ownedFilter(game))
	if err != nil {
		return nil, err
	}
	listed = slices.DeleteFunc(listed, func(c mobycontainer.Summary) bool {
		labels, ok := e.parseOwnedLabels(c.ID, c.Labels)
		return !ok || gameID != "" && labels.GameID != gameID
	})
	described, err := e.describeAll(ctx, listed)
	if err != nil {
		return nil, err
	}
	return described, e.addEngineRestart(ctx, described)
}

// listSummaries lists containers in any state.
func (e *Engine) listSummaries(ctx context.Context, what string, filters client.Filters) ([]mobycontainer.Summary, error) {
	listed, err := callWithTimeout(ctx, e.cfg.CallTimeout, what, func(ctx context.Context) (client.ContainerListResult, error) {
		return e.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	})
	if err != nil {
		return nil, unavailable(err)
	}
	if listed.Items == nil { // an engine without containers returns []
		return nil, malformedResponse("%s: the response is not a list", what)
	}
	for _, c := range listed.Items {
		if !idPattern.MatchString(c.ID) {
			return nil, malformedResponse("%s: the list contains the container id %q", what, c.ID)
		}
	}
	return listed.Items, nil
}

// describeAll inspects each container, since a summary is incomplete. One CallTimeout bounds
// all calls together, since an engine can hang on one container and respond for others. A
// container without a response is unknown, unless a ping shows that the whole engine hangs.
func (e *Engine) describeAll(ctx context.Context, listed []mobycontainer.Summary) ([]container.Container, error) {
	described := make([]container.Container, len(listed))
	errs := make([]error, len(listed))
	bounded, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout)
	defer cancel()
	var group sync.WaitGroup
	next := make(chan int)
	for range min(maxConcurrentInspects, len(listed)) {
		group.Go(func() {
			for i := range next {
				c, err := e.inspect(bounded, listed[i].ID)
				if err == nil {
					described[i], err = e.translateInspect(c)
				}
				errs[i] = err
			}
		})
	}
	for i := range listed {
		next <- i
	}
	close(next)
	group.Wait()
	return e.combineResults(ctx, listed, described, errs)
}

// combineResults combines the results of describeAll. It omits containers that were removed
// since they were listed, and returns others with an error as unknown.
func (e *Engine) combineResults(ctx context.Context, listed []mobycontainer.Summary, described []container.Container, errs []error) ([]container.Container, error) {
	found := make([]container.Container, 0, len(listed))
	var lastErr error
	for i, err := range errs {
		switch {
		case err == nil:
			found = append(found, described[i])
		case errdefs.IsNotFound(err) || errors.Is(err, container.ErrNoContainer):
			// removed since it was listed, or not owned
		default:
			lastErr = err
			found = append(found, e.translateSummary(listed[i]))
		}
	}
	if lastErr == nil {
		return found, nil
	}
	if err := e.ping(ctx); err != nil {
		return nil, err
	}
	e.cfg.Logger.Warn("the engine lists containers that it cannot describe", "err", lastErr)
	return found, nil
}

// translateSummary translates a summary of the list to an unknown container.
func (e *Engine) translateSummary(c mobycontainer.Summary) container.Container {
	labels, _ := e.parseOwnedLabels(c.ID, c.Labels)
	name := ""
	if len(c.Names) > 0 {
		name = strings.TrimPrefix(c.Names[0], "/")
	}
	return container.Container{ID: c.ID, Name: name, Labels: labels, State: container.StateUnknown, Image: c.Image}
}

// ping checks that the engine responds.
func (e *Engine) ping(ctx context.Context) error {
	_, err := callWithTimeout(ctx, e.cfg.CallTimeout, "ping docker engine", func(ctx context.Context) (client.PingResult, error) {
		response, err := e.api.Ping(ctx, client.PingOptions{})
		if err == nil && response.APIVersion == "" {
			err = errors.New("the response contains no API version")
		}
		return response, err
	})
	return unavailable(err)
}
