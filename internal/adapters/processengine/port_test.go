package processengine_test

import (
	"net"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/enginetest"
)

// portOf returns the port of the endpoint.
func portOf(t *testing.T, c container.Container) int {
	t.Helper()
	parsed, err := url.Parse(c.Endpoint)
	require.NoError(t, err)
	port, err := strconv.Atoi(parsed.Port())
	require.NoError(t, err)
	return port
}

func TestAGameKeepsItsPortIfItIsFree(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.open(t)
	c := e.start(t, spec("a"))
	lastPort := portOf(t, c)
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	require.NoError(t, e.Close())

	e = f.open(t)
	require.NoError(t, e.Start(t.Context(), c.ID))
	require.Equal(t, lastPort, portOf(t, e.inspect(t, c.ID)))
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))

	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(lastPort)))
	require.NoError(t, err)
	defer listener.Close()
	require.NoError(t, e.Start(t.Context(), c.ID))
	require.NotEqual(t, lastPort, portOf(t, e.inspect(t, c.ID)))
	waitReady(t, e.inspect(t, c.ID))
}

func TestAPortOfAnotherGameFailsWithItsName(t *testing.T) {
	t.Parallel()
	e := newFixture(t).open(t)
	first := e.start(t, spec("first"))
	second := spec("second")
	second.Port = portOf(t, first)
	c := e.create(t, second)
	err := e.Start(t.Context(), c.ID)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, `"first"`)
	require.Equal(t, container.StateCreated, e.inspect(t, c.ID).State)

	require.NoError(t, e.Stop(t.Context(), first.ID, 0))
	require.NoError(t, e.Start(t.Context(), c.ID), "the port is free as soon as its game has exited")
}

func TestEndpointHost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	config := f.config(owner)
	config.Host = "::1"
	c := f.openWith(t, config).start(t, spec("a"))
	require.Contains(t, c.Endpoint, "http://[::1]:")
}

// A game that is stopped keeps the main port of its spec, as it keeps its ports of players.
func TestAMainPortOfTheRangeIsReserved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	config := f.config(owner)
	config.GamePorts = enginetest.NewGamePorts()
	config.GamePorts.Last = config.GamePorts.First + 1
	e := f.openWith(t, config)
	first := spec("first")
	first.Port = config.GamePorts.First
	c := e.create(t, first)

	second := spec("second")
	second.Ports = []runtime.Port{{Name: "game", Protocol: runtime.ProtocolTCP}}
	created := e.start(t, second)
	require.Equal(t, config.GamePorts.Last, created.Ports[0].Port)

	third := spec("third")
	third.Port = first.Port
	_, err := e.Create(t.Context(), third)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, `"first"`)
	require.NoError(t, e.Start(t.Context(), c.ID))
}
