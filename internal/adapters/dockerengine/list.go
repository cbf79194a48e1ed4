package dockerengine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/errdefs"
	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// inspectors is how many containers are inspected at a time; the client keeps
// six connections.
const inspectors = 6

// List returns the containers of the game, or of all games.
func (e *Engine) List(ctx context.Context, gameID string) ([]container.Container, error) {
	var game map[string]string
	if gameID != "" {
		game = map[string]string{labelGameID: gameID}
	}
	listed, err := e.summaries(ctx, "list containers", e.ours(game))
	if err != nil {
		return nil, err
	}
	listed = slices.DeleteFunc(listed, func(c mobycontainer.Summary) bool {
		labels, ok := e.owned(c.Labels)
		return !ok || gameID != "" && labels.GameID != gameID
	})
	return e.describeAll(ctx, listed)
}

// describeAll inspects each container, since a summary does not tell enough. All
// of it has the time of one call: the engine can hang on one container and
// answer for others, which then are unknown. Whether it is the engine that hangs
// a ping tells.
func (e *Engine) describeAll(ctx context.Context, listed []mobycontainer.Summary) ([]container.Container, error) {
	described := make([]container.Container, len(listed))
	faults := make([]error, len(listed))
	bounded, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout)
	defer cancel()
	var group sync.WaitGroup
	next := make(chan int)
	for range min(inspectors, len(listed)) {
		group.Go(func() {
			for i := range next {
				c, err := e.inspect(bounded, listed[i].ID)
				if err == nil {
					described[i], err = e.own(c)
				}
				faults[i] = err
			}
		})
	}
	for i := range listed {
		next <- i
	}
	close(next)
	group.Wait()
	return e.sort(ctx, listed, described, faults)
}

// sort tells the containers that are gone by now from those that are unknown.
func (e *Engine) sort(ctx context.Context, listed []mobycontainer.Summary, described []container.Container, faults []error) ([]container.Container, error) {
	found := make([]container.Container, 0, len(listed))
	var doubt error
	for i, err := range faults {
		switch {
		case err == nil:
			found = append(found, described[i])
		case errdefs.IsNotFound(err) || errors.Is(err, container.ErrNoContainer):
			// removed since it was listed, or not ours
		default:
			doubt = err
			found = append(found, e.unknown(listed[i]))
		}
	}
	if doubt == nil {
		return found, nil
	}
	if err := e.ping(ctx); err != nil {
		return nil, err
	}
	e.cfg.Logger.Warn("the engine lists containers that it cannot describe", "err", doubt)
	return found, nil
}

// unknown is a container of which only the list has told.
func (e *Engine) unknown(c mobycontainer.Summary) container.Container {
	labels, _ := e.owned(c.Labels)
	name := ""
	if len(c.Names) > 0 {
		name = strings.TrimPrefix(c.Names[0], "/")
	}
	return container.Container{ID: c.ID, Name: name, Labels: labels, State: container.StateUnknown, Image: c.Image}
}

// ping asks whether the engine answers at all.
func (e *Engine) ping(ctx context.Context) error {
	_, err := within(ctx, e.cfg.CallTimeout, "ping docker engine", func(ctx context.Context) (client.PingResult, error) {
		pong, err := e.api.Ping(ctx, client.PingOptions{})
		if err == nil && pong.APIVersion == "" {
			err = fmt.Errorf("the answer names no version")
		}
		return pong, err
	})
	return unavailable(err)
}
