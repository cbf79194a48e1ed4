package dockerengine

import (
	"context"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// bridgeNetwork is the network that the engine creates whenever it starts without live
// containers. The API has no start time of the engine.
const bridgeNetwork = "bridge"

// addEngineRestart sets EngineRestartedAt of the exited containers that were started before
// the engine was.
func (e *Engine) addEngineRestart(ctx context.Context, containers []container.Container) error {
	isExited := func(c container.Container) bool { return c.State == container.StateExited && c.StartedAt != nil }
	if !slices.ContainsFunc(containers, isExited) {
		return nil
	}
	startedAt, err := e.startTime(ctx)
	if err != nil || startedAt == nil {
		return err
	}
	for i, c := range containers {
		if isExited(c) && c.StartedAt.Before(*startedAt) {
			at := *startedAt
			containers[i].EngineRestartedAt = &at
		}
	}
	return nil
}

// startTime returns when the engine started; nil if it has no default bridge network. An
// engine that restarts with live containers keeps the network, and has ended none of them.
func (e *Engine) startTime(ctx context.Context) (*time.Time, error) {
	found, err := callWithTimeout(ctx, e.cfg.CallTimeout, "network "+bridgeNetwork, func(ctx context.Context) (client.NetworkInspectResult, error) {
		return e.api.NetworkInspect(ctx, bridgeNetwork, client.NetworkInspectOptions{})
	})
	switch {
	case errdefs.IsNotFound(err):
		return nil, nil //nolint:nilnil // unknown is no error
	case err != nil:
		return nil, unavailable(err)
	case found.Network.Created.IsZero():
		return nil, nil //nolint:nilnil // unknown is no error
	}
	at := found.Network.Created.UTC()
	return &at, nil
}
