package dockerengine

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"galaxy/rtmanager/internal/domain/container"
)

// describe translates a container of ours.
func (e *Engine) describe(c mobycontainer.InspectResponse, labels container.Labels) container.Container {
	described := container.Container{
		ID:        c.ID,
		Name:      strings.TrimPrefix(c.Name, "/"),
		Labels:    labels,
		State:     stateOf(c.State.Status),
		Image:     c.Config.Image,
		StartedAt: instant(c.State.StartedAt),
		StatePath: statePath(c.Mounts),
		Network:   string(c.HostConfig.NetworkMode),
	}
	switch described.State {
	case container.StateRunning:
		described.Endpoint = e.endpoint(c)
	case container.StateExited:
		code := c.State.ExitCode
		described.ExitCode = &code
		described.OOMKilled = c.State.OOMKilled
		described.ExitedAt = instant(c.State.FinishedAt)
		if from, to := described.StartedAt, described.ExitedAt; from != nil && to != nil && to.Before(*from) {
			// The engine notes a start once it has been told of it: what exits at once can be quicker.
			at := *from
			described.ExitedAt = &at
		}
	default: // neither reached nor ended
	}
	return described
}

// stateOf translates the engine's word. One that is being removed, or whose
// removal failed, has been killed before.
func stateOf(word mobycontainer.ContainerState) container.State {
	switch word {
	case mobycontainer.StateCreated:
		return container.StateCreated
	case mobycontainer.StateRunning, mobycontainer.StatePaused, mobycontainer.StateRestarting:
		return container.StateRunning
	case mobycontainer.StateExited, mobycontainer.StateDead, mobycontainer.StateRemoving:
		return container.StateExited
	default:
		return container.StateUnknown
	}
}

// instant is the engine's stamp, or nil for the year 1, by which it says never.
func instant(stamp string) *time.Time {
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil || at.Year() <= 1 {
		return nil
	}
	at = at.UTC()
	return &at
}

func statePath(mounts []mobycontainer.MountPoint) string {
	for _, m := range mounts {
		if m.Destination == stateTarget {
			return m.Source
		}
	}
	return ""
}

// endpoint is where the game is reached; empty if the engine does not tell.
func (e *Engine) endpoint(c mobycontainer.InspectResponse) string {
	inside, err := network.ParsePort(c.Config.Labels[labelPort] + "/tcp")
	if err != nil || c.NetworkSettings == nil {
		return ""
	}
	if e.cfg.Endpoints == EndpointContainer {
		joined := c.NetworkSettings.Networks[string(c.HostConfig.NetworkMode)]
		if joined == nil || !joined.IPAddress.IsValid() {
			return ""
		}
		return httpURL(joined.IPAddress, inside.Port())
	}
	for _, binding := range c.NetworkSettings.Ports[inside] {
		if port, err := strconv.Atoi(binding.HostPort); err == nil && port > 0 {
			return httpURL(reachable(e.address), binding.HostPort)
		}
	}
	return ""
}

func httpURL(host netip.Addr, port string) string {
	return "http://" + net.JoinHostPort(host.String(), port)
}

// reachable is the address by which a port published at a is reached from the node.
func reachable(a netip.Addr) netip.Addr {
	switch {
	case a == netip.IPv4Unspecified():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case a.IsUnspecified():
		return netip.IPv6Loopback()
	}
	return a
}
