// Package tcptest gives tests TCP ports that other programs do not take by chance.
package tcptest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The kernel gives ports from 32768 on to connections and to listeners of port 0. Ports below
// are used only by programs that name them.
const (
	firstPort = 20000
	lastPort  = 32767
)

// Listen listens on a free port of the host below the kernel's range of ephemeral ports. An empty
// host means all addresses. After the test has closed the listener, no connection of another
// program takes the port. Close it with Release if another process listens on the port next.
func Listen(t testing.TB, host string) (listener net.Listener, port int) {
	t.Helper()
	var err error
	for range 100 {
		port = firstPort + rand.IntN(lastPort-firstPort+1) //nolint:gosec // not a secret
		listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			t.Cleanup(func() { _ = listener.Close() })
			return listener, port
		}
	}
	require.NoError(t, err, "no free port")
	return nil, 0
}

// Release closes the listener. It waits for concurrent forks, since a forked process has
// the port open until it executes its program.
func Release(t testing.TB, listener net.Listener) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	require.NoError(t, listener.Close())
}

// UnusedPort returns a port on which no program listens.
func UnusedPort(t testing.TB) int {
	t.Helper()
	listener, port := Listen(t, "")
	Release(t, listener)
	return port
}
