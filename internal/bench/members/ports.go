package members

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// The kernel gives ports from 32768 on to connections and to listeners of port 0. Ports
// below are used only by programs that name them.
const (
	firstPort    = 20000
	lastPort     = 32767
	portAttempts = 100 // for one port
)

// freePorts returns different ports of the loopback interface on which no program listens.
func freePorts(ctx context.Context, count int) ([]int, error) {
	var listeners []net.Listener
	defer func() {
		// A process that is just forked has the listeners open until it executes its
		// program.
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	var ports []int
	for range count {
		listener, port, err := listenOnFreePort(ctx)
		if err != nil {
			return nil, err
		}
		listeners, ports = append(listeners, listener), append(ports, port)
	}
	return ports, nil
}

func listenOnFreePort(ctx context.Context) (listener net.Listener, port int, err error) {
	for range portAttempts {
		port = firstPort + rand.IntN(lastPort-firstPort+1) //nolint:gosec // not a secret
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err == nil {
			return listener, port, nil
		}
	}
	return nil, 0, err
}

// loopback is the host of all members.
const loopback = "127.0.0.1"
