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

// validateNetwork returns an error for the modes host and container:ID, in which a game would
// share the network of another program. It also rejects the modes none and default, and names
// with other special characters.
func validateNetwork(name string) error {
	if mode := mobycontainer.NetworkMode(name); mode.IsHost() || mode.IsNone() || mode.IsDefault() || !namePattern.MatchString(name) {
		return &runtime.InvalidError{Field: "network", Reason: fmt.Sprintf("%q is not a network that a game may join; name a user-defined network", name)}
	}
	return nil
}

// checkNetwork returns an error for a network that games of this node may not join.
func (e *Engine) checkNetwork(name string) error {
	if err := validateNetwork(name); err != nil {
		return err
	}
	if name != e.cfg.Network && !slices.Contains(e.cfg.Networks, name) {
		return &runtime.InvalidError{Field: "network", Reason: fmt.Sprintf("%q is not among the networks that games of this node may join; the operator of the node must allow it", name)}
	}
	return nil
}

// findNetwork returns the name of the network with the name or id. It returns an error for a
// network that does not exist or that validateNetwork rejects. The engine also accepts the
// prefix of an id, which can be that of another network; findNetwork does not.
func (e *Engine) findNetwork(ctx context.Context, name string) (string, error) {
	found, err := callWithTimeout(ctx, e.cfg.CallTimeout, "network "+name, func(ctx context.Context) (client.NetworkInspectResult, error) {
		return e.api.NetworkInspect(ctx, name, client.NetworkInspectOptions{})
	})
	isOtherNetwork := err == nil && found.Network.Name != "" && found.Network.Name != name && found.Network.ID != name
	if errdefs.IsNotFound(err) || isOtherNetwork {
		return "", &runtime.InvalidError{Field: "network", Reason: fmt.Sprintf("%q does not exist; create it on the engine first", name)}
	}
	if err != nil {
		return "", unavailable(err)
	}
	fullName := found.Network.Name
	if fullName == "" {
		return "", malformedResponse("it described no network in response to network %s", name)
	}
	if driver := found.Network.Driver; driver == "host" || driver == "null" {
		return "", validateNetwork(driver + ":" + fullName)
	}
	return fullName, validateNetwork(fullName)
}
