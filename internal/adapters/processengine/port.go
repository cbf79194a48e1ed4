package processengine

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/gameports"
	"galaxy/rtmanager/internal/wait"
)

const (
	// maxPortAttempts is the number of free ports that reserveMainPort tries.
	maxPortAttempts = 20
	// maxCloseChecks is the number of times that waitPortsClosed checks a port, closeCheckDelay
	// apart.
	maxCloseChecks  = 20
	closeCheckDelay = 10 * time.Millisecond
)

// reservePorts reserves the ports of players and the main port of the container, and returns the
// main port. Another program can still take a port before the game listens on it. After an
// error, nothing is reserved.
func (e *Engine) reservePorts(ctx context.Context, c *processContainer) (int, error) {
	isMainPort := false
	for _, p := range c.spec.Ports {
		key := gameports.Key{Protocol: p.Protocol, Port: p.Port}
		if err := e.claimPort(ctx, key, c); err != nil {
			e.releasePorts(c)
			return 0, err
		}
		isMainPort = isMainPort || key == mainKey(c.spec.Port)
	}
	if isMainPort {
		return c.spec.Port, nil
	}
	port, err := e.reserveMainPort(ctx, c)
	if err != nil {
		e.releasePorts(c)
	}
	return port, err
}

// reserveMainPort reserves the main port of the container: the port of its spec, or else the
// port of its latest run, or else any free port outside of the range for players.
func (e *Engine) reserveMainPort(ctx context.Context, c *processContainer) (int, error) {
	if port := c.spec.Port; port != 0 {
		return port, e.claimPort(ctx, mainKey(port), c)
	}
	c.mu.Lock()
	lastPort := c.lastRun.port
	c.mu.Unlock()
	if lastPort != 0 && e.claimPort(ctx, mainKey(lastPort), c) == nil {
		return lastPort, nil
	}
	var err error
	for range maxPortAttempts {
		var port int
		if port, err = findFreePort(ctx); err != nil {
			break
		}
		if e.cfg.GamePorts.Contains(port) {
			err = fmt.Errorf("port %d is of the range of ports for players", port)
			continue
		}
		if err = e.claimPort(ctx, mainKey(port), c); err == nil {
			return port, nil
		}
	}
	return 0, container.NodeFault(fmt.Errorf("%w: no free port: %w", operation.ErrStartFailed, err))
}

// mainKey returns the key of a main port.
func mainKey(port int) gameports.Key {
	return gameports.Key{Protocol: runtime.ProtocolTCP, Port: port}
}

// ports returns the ports of the run.
func (c runConfig) ports() []gameports.Key {
	var keys []gameports.Key
	if c.Port != 0 {
		keys = append(keys, mainKey(c.Port))
	}
	for _, p := range c.Ports {
		keys = append(keys, gameports.Key{Protocol: p.Protocol, Port: p.Port})
	}
	return keys
}

// claimPort reserves the port for the container. It returns operation.ErrStartFailed if the
// port is in use.
func (e *Engine) claimPort(ctx context.Context, key gameports.Key, c *processContainer) error {
	e.mu.Lock()
	holder, reserved := e.ports[key]
	if !reserved {
		e.ports[key] = c
	}
	e.mu.Unlock()
	if reserved {
		return container.NodeFault(fmt.Errorf("%w: port %s is in use by game %q; choose another port, or none", operation.ErrStartFailed, key, holder.spec.Labels.GameID))
	}
	if err := gameports.CheckFree(ctx, key); err != nil {
		e.mu.Lock()
		delete(e.ports, key)
		e.mu.Unlock()
		return container.NodeFault(fmt.Errorf("%w: port %s is in use: %w; choose another port, or none", operation.ErrStartFailed, key, err))
	}
	return nil
}

// releasePorts releases the ports that are reserved for the container.
func (e *Engine) releasePorts(c *processContainer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, holder := range e.ports {
		if holder == c {
			delete(e.ports, key)
		}
	}
}

// waitPortsClosed waits until the ports of a game that has exited are free: the kernel can close
// them a moment after the pipe. It stops after maxCloseChecks of a port, since another program
// may have it.
func (e *Engine) waitPortsClosed(config runConfig) {
	ctx := e.lifetime.Context()
	for _, key := range config.ports() {
		for range maxCloseChecks {
			if gameports.CheckFree(ctx, key) == nil {
				break
			}
			if wait.For(ctx, closeCheckDelay) != nil {
				return
			}
		}
	}
}

// findFreePort returns a free port. It prevents concurrent forks, as gameports.CheckFree does.
func findFreePort(ctx context.Context) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", ":0")
	if err != nil {
		return 0, err
	}
	port := 0
	if address, ok := listener.Addr().(*net.TCPAddr); ok {
		port = address.Port
	}
	return port, listener.Close()
}
