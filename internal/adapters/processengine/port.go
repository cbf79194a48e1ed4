package processengine

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/wait"
)

const (
	// maxPortAttempts is the number of free ports that reservePort tries.
	maxPortAttempts = 20
	// maxCloseChecks is the number of times that waitPortClosed checks a port, closeCheckDelay
	// apart.
	maxCloseChecks  = 20
	closeCheckDelay = 10 * time.Millisecond
)

// reservePort reserves a port for the container: the port of its spec, or else the port of
// its latest run, or else any free port. Another program can still take the port before the
// game listens on it.
func (e *Engine) reservePort(ctx context.Context, c *processContainer) (int, error) {
	if port := c.spec.Port; port != 0 {
		return port, e.claimPort(ctx, port, c)
	}
	c.mu.Lock()
	lastPort := c.lastRun.port
	c.mu.Unlock()
	if lastPort != 0 && e.claimPort(ctx, lastPort, c) == nil {
		return lastPort, nil
	}
	var err error
	for range maxPortAttempts {
		var port int
		if port, err = findFreePort(ctx); err != nil {
			break
		}
		if err = e.claimPort(ctx, port, c); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("%w: no free port: %w", operation.ErrStartFailed, err)
}

// claimPort reserves the port for the container. It returns operation.ErrStartFailed if the
// port is in use.
func (e *Engine) claimPort(ctx context.Context, port int, c *processContainer) error {
	e.mu.Lock()
	holder, reserved := e.ports[port]
	if !reserved {
		e.ports[port] = c
	}
	e.mu.Unlock()
	if reserved {
		return fmt.Errorf("%w: port %d is in use by game %q; choose another port, or none", operation.ErrStartFailed, port, holder.spec.Labels.GameID)
	}
	if err := checkPortFree(ctx, port); err != nil {
		e.releasePort(port, c)
		return fmt.Errorf("%w: port %d is in use: %w; choose another port, or none", operation.ErrStartFailed, port, err)
	}
	return nil
}

// releasePort releases the port if it is reserved for the container.
func (e *Engine) releasePort(port int, c *processContainer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ports[port] == c {
		delete(e.ports, port)
	}
}

// waitPortClosed waits until the port of a game that has exited is free: the kernel can close
// it a moment after the pipe. It stops after maxCloseChecks, since another program may have
// the port.
func (e *Engine) waitPortClosed(port int) {
	ctx := e.lifetime.Context()
	for range maxCloseChecks {
		if port == 0 || checkPortFree(ctx, port) == nil {
			return
		}
		if wait.For(ctx, closeCheckDelay) != nil {
			return
		}
	}
}

// checkPortFree returns nil if the port is free on all addresses. It prevents concurrent
// forks: a forked child would have the listener open until it executes its program, and the
// game could not listen on its port.
func checkPortFree(ctx context.Context, port int) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	return listener.Close()
}

// findFreePort returns a free port. It prevents concurrent forks, as checkPortFree does.
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
