package enginetest

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/testkit/tcptest"
)

func portTests(h Harness) []contractTest {
	if !h.ChecksPorts {
		return nil
	}
	return []contractTest{
		{"Start returns ErrStartFailed if the port is in use, and succeeds once the port is free", testPortInUse},
		{"the endpoint has the port of the spec", testPortOfSpec},
		{"games without a port in the spec get different ports", testPortsDiffer},
	}
}

func testPortInUse(t *testing.T, f *fixture) {
	listener, port := tcptest.Listen(t, "")
	spec := f.spec("game")
	spec.Port = port
	c := f.create(t, spec)
	err := f.engine.Start(t.Context(), c.ID)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, strconv.Itoa(port))
	require.NotEqual(t, container.StateRunning, f.inspect(t, c.ID).State)

	tcptest.Release(t, listener)
	// Another program can have the port for a moment, for example to see whether it is free.
	eventually(t, "the container starts", func() bool { return f.engine.Start(t.Context(), c.ID) == nil })
	require.Equal(t, container.StateRunning, f.inspect(t, c.ID).State)
}

func testPortOfSpec(t *testing.T, f *fixture) {
	port := tcptest.UnusedPort(t)
	spec := f.spec("game")
	spec.Port = port
	c := f.start(t, f.create(t, spec).ID)
	require.True(t, strings.HasSuffix(c.Endpoint, ":"+strconv.Itoa(port)), "endpoint %s, port %d", c.Endpoint, port)
	if f.RunsGames {
		clientOf(c).waitReady(t)
	}
}

func testPortsDiffer(t *testing.T, f *fixture) {
	seen := map[string]bool{}
	for range 5 {
		c := f.run(t)
		require.False(t, seen[c.Endpoint], "two containers have the endpoint %s", c.Endpoint)
		seen[c.Endpoint] = true
	}
}
