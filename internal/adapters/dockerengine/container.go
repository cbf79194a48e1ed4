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

// killedExitCode is the exit code of a container whose main process signal 9 has killed.
const killedExitCode = 128 + 9

// describe translates the engine's description of an owned container.
func (e *Engine) describe(c mobycontainer.InspectResponse, labels container.Labels) container.Container {
	described := container.Container{
		ID:            c.ID,
		Name:          strings.TrimPrefix(c.Name, "/"),
		Labels:        labels,
		State:         stateOf(c.State.Status),
		Image:         c.Config.Image,
		ImageDigest:   c.Image,
		StartedAt:     parseTime(c.State.StartedAt),
		StatePath:     statePath(c.Mounts),
		Network:       string(c.HostConfig.NetworkMode),
		ReservedPorts: decodePorts(c.Config.Labels),
	}
	switch described.State {
	case container.StateRunning:
		described.Endpoint = e.endpoint(c)
		described.Ports = e.publicPorts(c.Config.Labels)
		described.Paused = c.State.Status == mobycontainer.StatePaused
	case container.StateExited:
		code := c.State.ExitCode
		described.ExitCode = &code
		// The engine sets OOMKilled also if the kernel killed only a child: moby/moby#15621.
		described.OOMKilled = c.State.OOMKilled && code == killedExitCode
		described.ChildOOMKilled = c.State.OOMKilled && code != killedExitCode
		described.StopKilled = e.kills.has(described)
		described.ExitedAt = parseTime(c.State.FinishedAt)
		if from, to := described.StartedAt, described.ExitedAt; from != nil && to != nil && to.Before(*from) {
			// The engine records a start after it has happened, so a container that exits at
			// once can have an earlier exit.
			start := *from
			described.ExitedAt = &start
		}
	default: // no endpoint and no exit
	}
	return described
}

// stateOf translates a state of the engine. A container that is being removed, or whose
// removal failed, has been killed.
func stateOf(state mobycontainer.ContainerState) container.State {
	switch state {
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

// parseTime parses a timestamp of the engine. It returns nil for the year 1, which means
// that there is no time.
func parseTime(text string) *time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || at.Year() <= 1 {
		return nil
	}
	at = at.UTC()
	return &at
}

// statePath returns the state directory of the game; empty if there is none.
func statePath(mounts []mobycontainer.MountPoint) string {
	for _, m := range mounts {
		if m.Destination == stateMountPath {
			return m.Source
		}
	}
	return ""
}

// endpoint returns the URL of the game; empty if the engine does not report the port.
func (e *Engine) endpoint(c mobycontainer.InspectResponse) string {
	containerPort, err := network.ParsePort(c.Config.Labels[labelPort] + "/tcp")
	if err != nil || c.NetworkSettings == nil {
		return ""
	}
	if e.cfg.Endpoints == EndpointContainer {
		joined := c.NetworkSettings.Networks[string(c.HostConfig.NetworkMode)]
		if joined == nil || !joined.IPAddress.IsValid() {
			return ""
		}
		return httpURL(joined.IPAddress, containerPort.Port())
	}
	for _, binding := range c.NetworkSettings.Ports[containerPort] {
		if port, err := strconv.Atoi(binding.HostPort); err == nil && port > 0 {
			address := e.address
			if isGamePort(decodePorts(c.Config.Labels), containerPort.Num()) {
				address = e.gameAddress()
			}
			return httpURL(dialAddress(address), binding.HostPort)
		}
	}
	return ""
}

func httpURL(host netip.Addr, port string) string {
	return "http://" + net.JoinHostPort(host.String(), port)
}

// dialAddress returns the address on the node for a port that is published on a.
func dialAddress(a netip.Addr) netip.Addr {
	switch {
	case !a.IsValid(), a == netip.IPv4Unspecified():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case a.IsUnspecified():
		return netip.IPv6Loopback()
	}
	return a
}
