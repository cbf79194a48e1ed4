package dockerengine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/gameports"
)

// portReservations reserves the ports of players from their choice until their container
// exists, whose label then reserves them. The zero value is empty.
type portReservations struct {
	mu      sync.Mutex
	lastID  int
	pending map[int]pendingPorts // guarded by mu, by the number of the reservation
}

// pendingPorts are the ports of a container that is being created.
type pendingPorts struct {
	gameID string
	ports  []runtime.Port
}

// reservePorts returns the spec with a number for each port of players. The caller must call
// release once the container exists or its creation has failed. It returns
// operation.ErrStartFailed if a port belongs to another game, or if there is no free port.
func (e *Engine) reservePorts(ctx context.Context, spec container.Spec) (reserved container.Spec, release func(), err error) {
	if len(spec.Ports) == 0 {
		return spec, func() {}, nil
	}
	r := &e.ports
	r.mu.Lock()
	defer r.mu.Unlock()
	used, err := e.listReserved(ctx)
	if err != nil {
		return spec, nil, err
	}
	for _, p := range r.pending {
		used.Add(p.gameID, false, p.ports)
	}
	gameID := spec.Labels.GameID
	if spec.Port != 0 {
		err = used.CheckGame(gameports.Key{Protocol: runtime.ProtocolTCP, Port: spec.Port}, gameID)
	}
	if err == nil {
		spec.Ports, err = used.Assign(ctx, e.cfg.GamePorts, gameID, spec.Ports)
	}
	switch {
	case ctx.Err() != nil:
		return spec, nil, unavailable(ctx.Err())
	case err != nil:
		return spec, nil, container.NodeFault(fmt.Errorf("%w: %w", operation.ErrStartFailed, err))
	}
	r.lastID++
	id := r.lastID
	if r.pending == nil {
		r.pending = map[int]pendingPorts{}
	}
	r.pending[id] = pendingPorts{gameID, spec.Ports}
	return spec, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.pending, id)
	}, nil
}

// listReserved returns the ports of players of all containers on the engine, also of those of
// other nodes and stores.
func (e *Engine) listReserved(ctx context.Context) (gameports.Reserved, error) {
	listed, err := e.listSummaries(ctx, "list the reserved ports", client.Filters{}.Add("label", labelPorts))
	if err != nil {
		return nil, err
	}
	reserved := gameports.Reserved{}
	for _, c := range listed {
		labels, _ := parseLabels(c.Labels)
		gameID := labels.GameID
		if labels.Store != e.cfg.Store {
			gameID = labels.Store + "/" + gameID // another game of the same name
		}
		reserved.Add(gameID, c.State == mobycontainer.StateRunning, decodePorts(c.Labels))
	}
	return reserved, nil
}

// validatePorts returns an error for ports of players that the engine cannot publish.
func (e *Engine) validatePorts(spec container.Spec) error {
	for _, p := range spec.Ports {
		switch {
		case p.Name == "" || p.Protocol != runtime.ProtocolTCP && p.Protocol != runtime.ProtocolUDP || !isValidPort(p.Port) || !isValidPort(p.ContainerPort):
			return &runtime.InvalidError{Field: "ports", Reason: fmt.Sprintf("contain %q with protocol %q, port %d and container_port %d; use tcp or udp and ports from 0 to 65535", p.Name, p.Protocol, p.Port, p.ContainerPort)}
		case p.Port == 0 && e.cfg.GamePorts.Size() == 0:
			return &runtime.InvalidError{Field: "ports", Reason: fmt.Sprintf("contain %s without a port, and this node has no range of ports for games", p.Name)}
		}
	}
	return nil
}

// gameAddress returns the address of the machine on which ports of players are published. The
// zero value means all addresses, of IPv4 and IPv6.
func (e *Engine) gameAddress() netip.Addr {
	if e.cfg.PublicAddress == "" {
		return e.address
	}
	if public, err := netip.ParseAddr(e.cfg.PublicAddress); err == nil && public.IsLoopback() {
		return public
	}
	return netip.Addr{}
}

// publicPorts returns the addresses at which players reach a running container.
func (e *Engine) publicPorts(labels map[string]string) []runtime.Port {
	ports := decodePorts(labels)
	for i := range ports {
		ports[i].Host = cmp.Or(e.cfg.PublicAddress, dialAddress(e.address).String())
	}
	return ports
}

// encodePorts returns the value of the label of the ports.
func encodePorts(ports []runtime.Port) string {
	text, _ := json.Marshal(ports) // a slice of texts and numbers can be encoded
	return string(text)
}

// decodePorts returns the ports of a container by its labels, nil if it has none. Only the
// engine writes the label, so a malformed one counts as none.
func decodePorts(labels map[string]string) []runtime.Port {
	text, found := labels[labelPorts]
	if !found {
		return nil
	}
	var ports []runtime.Port
	if err := json.Unmarshal([]byte(text), &ports); err != nil {
		return nil
	}
	return ports
}

// isGamePort reports whether the main port of a game, which speaks HTTP, is also a port of
// players.
func isGamePort(ports []runtime.Port, containerPort uint16) bool {
	return slices.ContainsFunc(ports, func(p runtime.Port) bool {
		return p.Protocol == runtime.ProtocolTCP && p.ContainerPort == int(containerPort)
	})
}

// dockerPort returns the port inside the container as the engine names it.
func dockerPort(p runtime.Port) network.Port {
	return network.MustParsePort(fmt.Sprintf("%d/%s", p.ContainerPort, p.Protocol))
}
