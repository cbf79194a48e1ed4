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
	r := newRig(t, nil)
	holder := r.run(t, r.spec("g1"))
	_, port, err := net.SplitHostPort(strings.TrimPrefix(holder.Endpoint, "http://"))
	require.NoError(t, err)
	spec := r.spec("g2")
	spec.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
	made := r.create(t, spec)
	err = r.Start(t.Context(), made.ID)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, "port is already allocated", "the engine's words")
	require.NoError(t, r.Remove(t.Context(), holder.ID))
	require.NoError(t, r.Start(t.Context(), made.ID), "the port is free now")
}

func TestStartOfWhatCannotRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for version, entrypoint := range map[string]string{"no-program": "/not-there", "a-directory": "/tmp"} {
		t.Run(version, func(t *testing.T) {
			require.NoError(t, machine.importImage(t.Context(), machine.image(version), []byte(version), entrypoint))
			spec := r.spec(version)
			spec.Labels.Image = machine.image(version)
			made := r.create(t, spec)
			require.ErrorIs(t, r.Start(t.Context(), made.ID), operation.ErrStartFailed)
			require.NotEqual(t, container.StateRunning, r.inspect(t, made.ID).State)
			require.NoError(t, r.Remove(t.Context(), made.ID))
		})
	}
}

// newNetwork makes a network that goes when the test ends.
func newNetwork(t *testing.T, api *client.Client) string {
	t.Helper()
	name := "rtmanager-test-" + strings.ToLower(rand.Text()[:10])
	_, err := api.NetworkCreate(t.Context(), name, client.NetworkCreateOptions{Driver: "bridge"})
	require.NoError(t, err)
	t.Cleanup(func() {
		// The test may have removed it.
		_, _ = api.NetworkRemove(contextOf(t), name, client.NetworkRemoveOptions{})
	})
	return name
}

func TestOwnNetwork(t *testing.T) {
	t.Parallel()
	name := newNetwork(t, machine.open(t))
	r := newRig(t, func(c *dockerengine.Config) { c.Network, c.Networks = name, []string{"bridge"} })
	running := r.run(t, r.spec("g1"))
	require.Equal(t, name, running.Network)
	ask(t, running.Endpoint)

	other := r.spec("g2")
	other.Network = "bridge"
	require.Equal(t, "bridge", r.create(t, other).Network, "the spec's own wins")

	foreign := r.spec("g3")
	foreign.Network = newNetwork(t, r.api)
	_, err := r.Create(t.Context(), foreign)
	require.ErrorIs(t, err, runtime.ErrInvalid, "a network of somebody else's")
	require.ErrorContains(t, err, foreign.Network)
	require.ErrorContains(t, err, "--docker-allow-network")
}

func TestEndpointOfTheContainerItself(t *testing.T) {
	t.Parallel()
	name := newNetwork(t, machine.open(t))
	r := newRig(t, func(c *dockerengine.Config) { c.Network, c.Endpoints = name, dockerengine.EndpointContainer })
	running := r.run(t, r.spec("g1"))
	ask(t, running.Endpoint)
	found, err := r.api.ContainerInspect(t.Context(), running.ID, client.ContainerInspectOptions{})
	require.NoError(t, err)
	require.Equal(t, "http://"+found.Container.NetworkSettings.Networks[name].IPAddress.String()+":8080", running.Endpoint)
	require.Empty(t, found.Container.HostConfig.PortBindings, "no port is published")
}

func TestStartWithoutItsNetwork(t *testing.T) {
	t.Parallel()
	name := newNetwork(t, machine.open(t))
	r := newRig(t, func(c *dockerengine.Config) { c.Network = name })
	spec := r.spec("g1")
	spec.Network = name
	made := r.create(t, spec)
	_, err := r.api.NetworkRemove(t.Context(), spec.Network, client.NetworkRemoveOptions{})
	require.NoError(t, err)
	err = r.Start(t.Context(), made.ID)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, spec.Network)
}

func TestMemoryOfAGameThatNamesNoLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *dockerengine.Config) { c.MemoryBytes = 64 << 20 })
	limited := r.spec("g2")
	limited.MemoryBytes = 32 << 20
	for want, spec := range map[int64]container.Spec{64 << 20: r.spec("g1"), 32 << 20: limited} {
		found, err := r.api.ContainerInspect(t.Context(), r.create(t, spec).ID, client.ContainerInspectOptions{})
		require.NoError(t, err)
		require.Equal(t, want, found.Container.HostConfig.Memory)
		require.Equal(t, want, found.Container.HostConfig.MemorySwap, "and no swap on top")
	}
}
