package processengine

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/gameports"
)

// assignPorts assigns the ports of players of a container that is being created, and stores
// them in its spec. They are reserved until releaseAssignment, and then by the container
// itself. It returns operation.ErrStartFailed if a port belongs to another game, or if there
// is no free port.
func (e *Engine) assignPorts(ctx context.Context, c *processContainer, s container.Spec) error {
	e.assignMu.Lock()
	defer e.assignMu.Unlock()
	reserved := e.reservedPorts()
	var err error
	if s.Port != 0 {
		err = reserved.CheckGame(mainKey(s.Port), s.Labels.GameID)
	}
	if err == nil && len(s.Ports) > 0 {
		c.spec.Ports, err = reserved.Assign(ctx, e.cfg.GamePorts, s.Labels.GameID, s.Ports)
	}
	switch {
	case ctx.Err() != nil:
		return unavailable(ctx)
	case err != nil:
		return container.NodeFault(fmt.Errorf("%w: %w", operation.ErrStartFailed, err))
	}
	for i, p := range c.spec.Ports {
		if p.Protocol == runtime.ProtocolTCP && p.ContainerPort == s.ContainerPort {
			c.spec.Port = p.Port // it is the main port
		}
		c.spec.Ports[i].ContainerPort = p.Port // a local process has no ports of its own
	}
	e.assigned[c] = c.spec
	return nil
}

// releaseAssignment ends the reservation of assignPorts.
func (e *Engine) releaseAssignment(c *processContainer) {
	e.assignMu.Lock()
	defer e.assignMu.Unlock()
	delete(e.assigned, c)
}

// reservedPorts returns the ports of players of all containers, and the main ports of their specs that are of the
// range for players. The caller must hold assignMu.
func (e *Engine) reservedPorts() gameports.Reserved {
	reserved := gameports.Reserved{}
	for _, s := range e.assigned {
		e.addReserved(reserved, s, false)
	}
	for _, c := range e.allContainers() {
		e.addReserved(reserved, c.spec, c.activeRun() != nil)
	}
	return reserved
}

// addReserved adds the ports of a container. Its main port can be one of the ports of players too.
func (e *Engine) addReserved(reserved gameports.Reserved, s spec, isRunning bool) {
	if s.Port != 0 && e.cfg.GamePorts.Contains(s.Port) {
		reserved.Add(s.Labels.GameID, isRunning, []runtime.Port{{Protocol: runtime.ProtocolTCP, Port: s.Port}})
	}
	reserved.Add(s.Labels.GameID, isRunning, s.Ports)
}

// publicPorts returns the addresses at which players reach a running container.
func publicPorts(host string, ports []runtime.Port) []runtime.Port {
	var public []runtime.Port
	for _, p := range ports {
		p.Host = host
		public = append(public, p)
	}
	return public
}
