package dockerengine_test

import (
	"crypto/rand"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

func TestStartOnThePortOfAnotherContainer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	first := f.run(t, f.spec("g1"))
	_, port, err := net.SplitHostPort(strings.TrimPrefix(first.Endpoint, "http://"))
	require.NoError(t, err)
	spec := f.spec("g2")
	spec.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
	created := f.create(t, spec)
	err = f.Start(t.Context(), created.ID)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, "port is already allocated", "the message of the engine")
	require.NoError(t, f.Remove(t.Context(), first.ID))
	require.NoError(t, f.Start(t.Context(), created.ID), "the port is free now")
}

func TestStartOfAnInvalidProgram(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for version, entrypoint := range map[string]string{"no-program": "/not-there", "a-directory": "/tmp"} {
		t.Run(version, func(t *testing.T) {
			require.NoError(t, machine.importImage(t.Context(), machine.image(version), []byte(version), entrypoint))
			spec := f.spec(version)
			spec.Labels.Image = machine.image(version)
			created := f.create(t, spec)
			require.ErrorIs(t, f.Start(t.Context(), created.ID), operation.ErrStartFailed)
			require.NotEqual(t, container.StateRunning, f.inspect(t, created.ID).State)
			require.NoError(t, f.Remove(t.Context(), created.ID))
		})
	}
}

// newNetwork creates a network, and removes it when the test ends.
func newNetwork(t *testing.T, api *client.Client) string {
	t.Helper()
	name := "rtmanager-test-" + strings.ToLower(rand.Text()[:10])
	_, err := api.NetworkCreate(t.Context(), name, client.NetworkCreateOptions{Driver: "bridge"})
	require.NoError(t, err)
	t.Cleanup(func() {
		// The test may have removed it.
		_, _ = api.NetworkRemove(uncanceled(t), name, client.NetworkRemoveOptions{})
	})
	return name
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	name := newNetwork(t, machine.open(t))
	f := newFixture(t, func(c *dockerengine.Config) { c.Network, c.Networks = name, []string{"bridge"} })
	running := f.run(t, f.spec("g1"))
	require.Equal(t, name, running.Network)
	fetchReport(t, running.Endpoint)

	other := f.spec("g2")
	other.Network = "bridge"
	require.Equal(t, "bridge", f.create(t, other).Network, "the network of the spec takes precedence")

	foreign := f.spec("g3")
	foreign.Network = newNetwork(t, f.api)
	_, err := f.Create(t.Context(), foreign)
	require.ErrorIs(t, err, runtime.ErrInvalid, "a network that is not allowed")
	require.ErrorContains(t, err, foreign.Network)
	require.ErrorContains(t, err, "the operator of the node must allow it")
}

func TestContainerEndpoint(t *testing.T) {
	t.Parallel()
	name := newNetwork(t, machine.open(t))
	f := newFixture(t, func(c *dockerengine.Config) { c.Network, c.Endpoints = name, dockerengine.EndpointContainer })
	running := f.run(t, f.spec("g1"))
	fetchReport(t, running.Endpoint)
	found, err := f.api.ContainerInspect(t.Context(), running.ID, client.ContainerInspectOptions{})
	require.NoError(t, err)
	require.Equal(t, "http://"+found.Container.NetworkSettings.Networks[name].IPAddress.String()+":8080", running.Endpoint)
	require.Empty(t, found.Container.HostConfig.PortBindings, "no port is published")
}

func TestStartWithoutItsNetwork(t *testing.T) {
	t.Parallel()
	name := newNetwork(t, machine.open(t))
	f := newFixture(t, func(c *dockerengine.Config) { c.Network = name })
	spec := f.spec("g1")
	spec.Network = name
	created := f.create(t, spec)
	_, err := f.api.NetworkRemove(t.Context(), spec.Network, client.NetworkRemoveOptions{})
	require.NoError(t, err)
	err = f.Start(t.Context(), created.ID)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, spec.Network)
}

func TestDefaultMemoryLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *dockerengine.Config) { c.MemoryBytes = 64 << 20 })
	limited := f.spec("g2")
	limited.MemoryBytes = 32 << 20
	for want, spec := range map[int64]container.Spec{64 << 20: f.spec("g1"), 32 << 20: limited} {
		found, err := f.api.ContainerInspect(t.Context(), f.create(t, spec).ID, client.ContainerInspectOptions{})
		require.NoError(t, err)
		require.Equal(t, want, found.Container.HostConfig.Memory)
		require.Equal(t, want, found.Container.HostConfig.MemorySwap, "no additional swap")
	}
}
