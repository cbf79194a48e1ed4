package dockerengine_test

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
)

func TestContainersAreUnprivileged(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *dockerengine.Config) { c.User = "65534:65534" })
	running := r.run(t, r.spec("g1"))
	said := ask(t, running.Endpoint)
	require.Equal(t, 65534, said.UID)
	require.False(t, said.Root, "the root file system is read-only")
	require.True(t, said.Tmp, "/tmp is writable")
	require.False(t, said.State, "there is no state directory")
	require.Contains(t, said.Status, "NoNewPrivs:\t1")
	require.Contains(t, said.Status, "CapBnd:\t0000000000000000")

	found, err := r.api.ContainerInspect(t.Context(), running.ID, client.ContainerInspectOptions{})
	require.NoError(t, err)
	host := found.Container.HostConfig
	require.EqualValues(t, 512, *host.PidsLimit)
	require.Equal(t, "no", string(host.RestartPolicy.Name))
	require.Equal(t, "json-file", host.LogConfig.Type)
	require.Equal(t, "10m", host.LogConfig.Config["max-size"])
	require.False(t, host.Privileged)
	require.Empty(t, host.Binds)
	require.Empty(t, host.Mounts)
	require.Equal(t, "127.0.0.1", host.PortBindings[firstKey(host.PortBindings)][0].HostIP.String())
}

func firstKey[K comparable, V any](m map[K]V) (first K) {
	for first = range m {
		break
	}
	return first
}

func TestWritableRoot(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *dockerengine.Config) { c.WritableRoot, c.User = true, "0:0" })
	require.True(t, ask(t, r.run(t, r.spec("g1")).Endpoint).Root)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	spec := r.spec("g1")
	spec.CPUs, spec.MemoryBytes = 0.25, 24<<20
	spec.Env["GAME_EAT"] = "1"
	made := r.create(t, spec)
	found, err := r.api.ContainerInspect(t.Context(), made.ID, client.ContainerInspectOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 250_000_000, found.Container.HostConfig.NanoCPUs)
	require.EqualValues(t, 24<<20, found.Container.HostConfig.Memory)

	require.NoError(t, r.Start(t.Context(), made.ID))
	exited := r.awaitExit(t, made.ID)
	require.True(t, exited.OOMKilled, "it wanted more memory than it may have")
	require.Equal(t, 137, *exited.ExitCode)
}

// A game's state outlives its containers, and no other game reaches it.
func TestStateDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	r := newRig(t, func(c *dockerengine.Config) { c.StateDir = dir })
	paths := map[string]bool{}
	for _, game := range []string{"g1", "../g1", "g%31", "g 1"} {
		spec := r.spec("g1")
		spec.Name += strconv.Itoa(len(paths))
		spec.Labels.GameID = game
		running := r.run(t, spec)
		require.Equal(t, dir, filepath.Dir(running.StatePath))
		said := ask(t, running.Endpoint)
		require.True(t, said.State, "it may write there")
		require.Contains(t, said.Env, "HOME=/state")
		paths[running.StatePath] = true
		require.NoError(t, r.Remove(t.Context(), running.ID))
		content, err := os.ReadFile(filepath.Join(running.StatePath, "probe"))
		require.NoError(t, err)
		require.Equal(t, "here", string(content))
	}
	require.Len(t, paths, 4)
}

func TestRefusesSpecs(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *dockerengine.Config) { c.Networks = []string{"no-such-network"} })
	tests := map[string]struct {
		field string
		spoil func(*container.Spec)
	}{
		"no name":              {"name", func(s *container.Spec) { s.Name = "" }},
		"name that is a path":  {"name", func(s *container.Spec) { s.Name = "../x" }},
		"no game":              {"game_id", func(s *container.Spec) { s.Labels.GameID = "" }},
		"no operation":         {"operation_id", func(s *container.Spec) { s.Labels.OperationID = "" }},
		"another store":        {"labels", func(s *container.Spec) { s.Labels.Store = "other" }},
		"another region":       {"labels", func(s *container.Spec) { s.Labels.Region = "us" }},
		"another node":         {"labels", func(s *container.Spec) { s.Labels.Node = "n2" }},
		"host network":         {"network", func(s *container.Spec) { s.Network = "host" }},
		"no network":           {"network", func(s *container.Spec) { s.Network = "none" }},
		"a container's":        {"network", func(s *container.Spec) { s.Network = "container:abc" }},
		"a path's":             {"network", func(s *container.Spec) { s.Network = "../images" }},
		"network not allowed":  {"network", func(s *container.Spec) { s.Network = "no-network-of-ours" }},
		"network not there":    {"network", func(s *container.Spec) { s.Network = "no-such-network" }},
		"port too high":        {"port", func(s *container.Spec) { s.Port = 65536 }},
		"port too low":         {"port", func(s *container.Spec) { s.Port = -1 }},
		"container port":       {"container_port", func(s *container.Spec) { s.ContainerPort = 65536 }},
		"negative CPUs":        {"cpus", func(s *container.Spec) { s.CPUs = -1 }},
		"no number of CPUs":    {"cpus", func(s *container.Spec) { s.CPUs = math.NaN() }},
		"more CPUs than exist": {"container", func(s *container.Spec) { s.CPUs = 100_000 }},
		"negative memory":      {"memory_bytes", func(s *container.Spec) { s.MemoryBytes = -1 }},
		"too little memory":    {"container", func(s *container.Spec) { s.MemoryBytes = 1 }},
		"argument with NUL":    {"args", func(s *container.Spec) { s.Args = []string{"\x00"} }},
		"name of a variable":   {"env", func(s *container.Spec) { s.Env["A=B"] = "" }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec := r.spec("g1")
			tt.spoil(&spec)
			_, err := r.Create(t.Context(), spec)
			require.ErrorIs(t, err, runtime.ErrInvalid)
			var invalid *runtime.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, tt.field, invalid.Field, "%v", err)
		})
	}
	listed, err := r.List(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, listed)
}

// The host's network by its id is the host's network all the same, even where that
// id is on the list.
func TestRefusesTheHostNetworkByItsID(t *testing.T) {
	t.Parallel()
	host, err := machine.open(t).NetworkInspect(t.Context(), "host", client.NetworkInspectOptions{})
	require.NoError(t, err)
	r := newRig(t, func(c *dockerengine.Config) { c.Networks = []string{host.Network.ID} })
	r.refusesNetwork(t, host.Network.ID, "host:host")
}

// The engine takes the beginning of an id for a name, and a short name can be the
// beginning of any network's.
func TestRefusesANetworkByTheBeginningOfItsID(t *testing.T) {
	t.Parallel()
	api := machine.open(t)
	name := newNetwork(t, api)
	foreign, err := api.NetworkInspect(t.Context(), name, client.NetworkInspectOptions{})
	require.NoError(t, err)
	id := foreign.Network.ID
	r := newRig(t, func(c *dockerengine.Config) { c.Networks = []string{id[:12], id} })
	r.refusesNetwork(t, id[:12], "is not there")

	spec := r.spec("g2")
	spec.Network = id
	require.Equal(t, name, r.create(t, spec).Network, "the whole id can only mean this one")
}

// refusesNetwork requires that the network is refused in these words, and that no
// container is made.
func (r *rig) refusesNetwork(t *testing.T, network, words string) {
	t.Helper()
	spec := r.spec("g1")
	spec.Network = network
	_, err := r.Create(t.Context(), spec)
	require.ErrorIs(t, err, runtime.ErrInvalid)
	require.ErrorContains(t, err, words)
	listed, err := r.List(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, listed)
}

func TestCreateWithoutImage(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	spec := r.spec("g1")
	spec.Labels.Image = machine.image("never-made")
	_, err := r.Create(t.Context(), spec)
	require.ErrorIs(t, err, container.ErrNoImage)
}
