package processengine

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
)

// portTries is how often a free port is asked for that turns out to be taken.
const portTries = 20

// takePort finds the port that the container's game is to listen on, and keeps
// it for the container: the one of its spec, the one that it had before, or any.
// Between this and the game's own listening somebody else may still get it.
func (e *Engine) takePort(ctx context.Context, c *processContainer) (int, error) {
	if port := c.spec.Port; port != 0 {
		return port, e.claimPort(ctx, port, c)
	}
	c.mu.Lock()
	before := c.last.port
	c.mu.Unlock()
	if before != 0 && e.claimPort(ctx, before, c) == nil {
		return before, nil
	}
	var err error
	for range portTries {
		var port int
		if port, err = freePort(ctx); err != nil {
			break
		}
		if err = e.claimPort(ctx, port, c); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("%w: no free port: %w", operation.ErrStartFailed, err)
}

// claimPort keeps the port for the container; one that is taken is
// runtime.ErrStartFailed.
func (e *Engine) claimPort(ctx context.Context, port int, c *processContainer) error {
	e.mu.Lock()
	holder, taken := e.ports[port]
	if !taken {
		e.ports[port] = c
	}
	e.mu.Unlock()
	if taken {
		return fmt.Errorf("%w: port %d is taken by game %q; name another port, or none", operation.ErrStartFailed, port, holder.spec.Labels.GameID)
	}
	if err := probePort(ctx, port); err != nil {
		e.freePort(port, c)
		return fmt.Errorf("%w: port %d is taken: %w; name another port, or none", operation.ErrStartFailed, port, err)
	}
	return nil
}

// freePort gives the port up, if it is the container's.
func (e *Engine) freePort(port int, c *processContainer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ports[port] == c {
		delete(e.ports, port)
	}
}

// awaitPort waits for the kernel to close the port of a game that is dead, which
// it may do a moment after it has closed the pipe. If somebody else has the port,
// it is not worth waiting for.
func (e *Engine) awaitPort(port int) {
	for range 20 {
		if port == 0 || probePort(e.life, port) == nil {
			return
		}
		if _, err := wait(e.life, nil, 10*time.Millisecond); err != nil {
			return
		}
	}
}

// probePort returns nil if the port is free on all addresses. No process is forked
// meanwhile: until it executes its program it would have the port too, and the game that
// the port is for would find it taken.
func probePort(ctx context.Context, port int) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	return listener.Close()
}

// freePort returns a port that nobody listens on. See probePort for the lock.
func freePort(ctx context.Context) (int, error) {
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
