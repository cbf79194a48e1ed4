package processengine_test

import (
	"net"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
)

func portOf(t *testing.T, c container.Container) int {
	t.Helper()
	parsed, err := url.Parse(c.Endpoint)
	require.NoError(t, err)
	port, err := strconv.Atoi(parsed.Port())
	require.NoError(t, err)
	return port
}

func TestAGameKeepsItsPortWhileItCan(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e := s.open(t)
	c := e.start(t, spec("a"))
	before := portOf(t, c)
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	require.NoError(t, e.Close())

	e = s.open(t)
	require.NoError(t, e.Start(t.Context(), c.ID))
	require.Equal(t, before, portOf(t, e.inspect(t, c.ID)))
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))

	taken, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(before)))
	require.NoError(t, err)
	defer taken.Close()
	require.NoError(t, e.Start(t.Context(), c.ID))
	require.NotEqual(t, before, portOf(t, e.inspect(t, c.ID)))
	ready(t, e.inspect(t, c.ID))
}

func TestAPortThatAnotherGameHasIsRefusedAndSaysWhose(t *testing.T) {
	t.Parallel()
	e := newSite(t).open(t)
	holder := e.start(t, spec("holder"))
	wants := spec("wants")
	wants.Port = portOf(t, holder)
	c := e.create(t, wants)
	err := e.Start(t.Context(), c.ID)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, `"holder"`)
	require.Equal(t, container.StateCreated, e.inspect(t, c.ID).State)

	require.NoError(t, e.Stop(t.Context(), holder.ID, 0))
	require.NoError(t, e.Start(t.Context(), c.ID), "the port is free as soon as its game has exited")
}

func TestTheHostIsOfTheConfig(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := s.config(owner)
	config.Host = "::1"
	c := s.openWith(t, config).start(t, spec("a"))
	require.Contains(t, c.Endpoint, "http://[::1]:")
}
