package enginetest

import (
	"context"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
)

func portBehaviours(h Harness) []behaviour {
	if !h.TakesPorts {
		return nil
	}
	return []behaviour{
		{"a port that is taken is ErrStartFailed, and the container starts once it is free", portTaken},
		{"the port that the spec names is the endpoint's", portNamed},
		{"games that name no port do not get each other's", portsDiffer},
	}
}

// listen takes a port of the node on all its addresses.
func listen(t *testing.T) (net.Listener, int) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", ":0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	return listener, number
}

// release closes the listener. A process that is being forked has it too, until it
// executes its program: that is waited for.
func release(t *testing.T, listener net.Listener) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	require.NoError(t, listener.Close())
}

func portTaken(t *testing.T, r *rig) {
	holder, port := listen(t)
	spec := r.spec("game")
	spec.Port = port
	c := r.create(t, spec)
	err := r.engine.Start(t.Context(), c.ID)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, strconv.Itoa(port))
	require.NotEqual(t, container.StateRunning, r.inspect(t, c.ID).State)

	release(t, holder)
	require.Equal(t, container.StateRunning, r.start(t, c.ID).State)
}

func portNamed(t *testing.T, r *rig) {
	holder, port := listen(t)
	release(t, holder)
	spec := r.spec("game")
	spec.Port = port
	c := r.start(t, r.create(t, spec).ID)
	require.True(t, strings.HasSuffix(c.Endpoint, ":"+strconv.Itoa(port)), "endpoint %s, port %d", c.Endpoint, port)
	if r.Games {
		game(c).ready(t)
	}
}

func portsDiffer(t *testing.T, r *rig) {
	seen := map[string]bool{}
	for range 5 {
		c := r.run(t)
		require.False(t, seen[c.Endpoint], "endpoint %s is given twice", c.Endpoint)
		seen[c.Endpoint] = true
	}
}
