package dockerengine

import (
	"context"
	"fmt"
	"slices"

	"github.com/containerd/errdefs"
	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/runtime"
)

// refuseNetwork refuses networks by which a game would share or lack one.
func refuseNetwork(name string) error {
	if mode := mobycontainer.NetworkMode(name); mode.IsHost() || mode.IsNone() || mode.IsDefault() || !plainName.MatchString(name) {
		return &runtime.InvalidError{Field: "network", Reason: fmt.Sprintf("%q is not one that a game may join; name a network of its own", name)}
	}
	return nil
}

// checkNetwork refuses a network that games of this node are not to join.
func (e *Engine) checkNetwork(name string) error {
	if err := refuseNetwork(name); err != nil {
		return err
	}
	if name != e.cfg.Network && !slices.Contains(e.cfg.Networks, name) {
		return &runtime.InvalidError{Field: "network", Reason: fmt.Sprintf("%q is not one that games of this node may join; its daemon has to be told with --docker-allow-network", name)}
	}
	return nil
}

// findNetwork returns the network's own name, and refuses one that is not there
// or gives no network of its own, by whatever name or id it was called. The engine
// also takes the beginning of an id, which may be that of somebody else's network.
func (e *Engine) findNetwork(ctx context.Context, name string) (string, error) {
	found, err := within(ctx, e.cfg.CallTimeout, "network "+name, func(ctx context.Context) (client.NetworkInspectResult, error) {
		return e.api.NetworkInspect(ctx, name, client.NetworkInspectOptions{})
	})
	another := err == nil && found.Network.Name != "" && found.Network.Name != name && found.Network.ID != name
	if errdefs.IsNotFound(err) || another {
		return "", &runtime.InvalidError{Field: "network", Reason: fmt.Sprintf("%q is not there; create it with `docker network create`", name)}
	}
	if err != nil {
		return "", unavailable(err)
	}
	own := found.Network.Name
	if own == "" {
		return "", nonsense("asked for network %s, it described none", name)
	}
	if driver := found.Network.Driver; driver == "host" || driver == "null" {
		return "", refuseNetwork(driver + ":" + own)
	}
	return own, refuseNetwork(own)
}
