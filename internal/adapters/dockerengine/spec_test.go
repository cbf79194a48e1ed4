package dockerengine_test

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
)

func TestContainersAreUnprivileged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *dockerengine.Config) { c.User = "65534:65534" })
	running := f.run(t, f.spec("g1"))
	report := fetchReport(t, running.Endpoint)
	require.Equal(t, 65534, report.UID)
	require.False(t, report.Root, "the root file system is read-only")
	require.True(t, report.Tmp, "/tmp is writable")
	require.False(t, report.State, "there is no state directory")
	require.Contains(t, report.Status, "NoNewPrivs:\t1")
	require.Contains(t, report.Status, "CapBnd:\t0000000000000000")

	found, err := f.api.ContainerInspect(t.Context(), running.ID, client.ContainerInspectOptions{})
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
	f := newFixture(t, func(c *dockerengine.Config) { c.WritableRoot, c.User = true, "0:0" })
	require.True(t, fetchReport(t, f.run(t, f.spec("g1")).Endpoint).Root)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	spec := f.spec("g1")
	spec.CPUs, spec.MemoryBytes = 0.25, 24<<20
	spec.Env["GAME_ALLOCATE"] = "1"
	created := f.create(t, spec)
	found, err := f.api.ContainerInspect(t.Context(), created.ID, client.ContainerInspectOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 250_000_000, found.Container.HostConfig.NanoCPUs)
	require.EqualValues(t, 24<<20, found.Container.HostConfig.Memory)

	require.NoError(t, f.Start(t.Context(), created.ID))
	exited := f.waitExit(t, created.ID)
	// The engine receives the reason and the exit as separate events.
	require.Eventually(t, func() bool {
		exited = f.inspect(t, created.ID)
		return exited.OOMKilled
	}, waitTimeout, 20*time.Millisecond, "it exceeded its memory limit")
	require.False(t, exited.ChildOOMKilled, "the game itself was killed")
	require.Equal(t, 137, *exited.ExitCode)
}

// The state of a game outlives its containers, and no other game can access it.
func TestStateDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	f := newFixture(t, func(c *dockerengine.Config) { c.StateDir = dir })
	paths := map[string]bool{}
	for _, game := range []string{"g1", "../g1", "g%31", "g 1"} {
		spec := f.spec("g1")
		spec.Name += strconv.Itoa(len(paths))
		spec.Labels.GameID = game
		running := f.run(t, spec)
		require.Equal(t, dir, filepath.Dir(running.StatePath))
		report := fetchReport(t, running.Endpoint)
		require.True(t, report.State, "the state directory is writable")
		require.Contains(t, report.Env, "HOME=/state")
		paths[running.StatePath] = true
		require.NoError(t, f.Remove(t.Context(), running.ID))
		content, err := os.ReadFile(filepath.Join(running.StatePath, "probe"))
		require.NoError(t, err)
		require.Equal(t, "here", string(content))
	}
	require.Len(t, paths, 4)
}

func TestInvalidSpecs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *dockerengine.Config) { c.Networks = []string{"no-such-network"} })
	tests := map[string]struct {
		field  string
		change func(*container.Spec)
	}{
		"no name":                {"name", func(s *container.Spec) { s.Name = "" }},
		"path as name":           {"name", func(s *container.Spec) { s.Name = "../x" }},
		"no game":                {"game_id", func(s *container.Spec) { s.Labels.GameID = "" }},
		"no operation":           {"operation_id", func(s *container.Spec) { s.Labels.OperationID = "" }},
		"another store":          {"labels", func(s *container.Spec) { s.Labels.Store = "other" }},
		"another region":         {"labels", func(s *container.Spec) { s.Labels.Region = "us" }},
		"another node":           {"labels", func(s *container.Spec) { s.Labels.Node = "n2" }},
		"host network":           {"network", func(s *container.Spec) { s.Network = "host" }},
		"no network":             {"network", func(s *container.Spec) { s.Network = "none" }},
		"network of a container": {"network", func(s *container.Spec) { s.Network = "container:abc" }},
		"path as network":        {"network", func(s *container.Spec) { s.Network = "../images" }},
		"network not allowed":    {"network", func(s *container.Spec) { s.Network = "other-network" }},
		"missing network":        {"network", func(s *container.Spec) { s.Network = "no-such-network" }},
		"port too high":          {"port", func(s *container.Spec) { s.Port = 65536 }},
		"port too low":           {"port", func(s *container.Spec) { s.Port = -1 }},
		"container port":         {"container_port", func(s *container.Spec) { s.ContainerPort = 65536 }},
		"negative CPUs":          {"cpus", func(s *container.Spec) { s.CPUs = -1 }},
		"CPUs not a number":      {"cpus", func(s *container.Spec) { s.CPUs = math.NaN() }},
		"more CPUs than exist":   {"container", func(s *container.Spec) { s.CPUs = 100_000 }},
		"negative memory":        {"memory_bytes", func(s *container.Spec) { s.MemoryBytes = -1 }},
		"too little memory":      {"container", func(s *container.Spec) { s.MemoryBytes = 1 }},
		"argument with NUL":      {"args", func(s *container.Spec) { s.Args = []string{"\x00"} }},
		"variable name":          {"env", func(s *container.Spec) { s.Env["A=B"] = "" }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec := f.spec("g1")
			tt.change(&spec)
			_, err := f.Create(t.Context(), spec)
			require.ErrorIs(t, err, runtime.ErrInvalid)
			var invalid *runtime.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, tt.field, invalid.Field, "%v", err)
		})
	}
	listed, err := f.List(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, listed)
}

// The id of the host network is rejected like its name, even if the id is an allowed
// network.
func TestHostNetworkByItsID(t *testing.T) {
	t.Parallel()
	host, err := machine.open(t).NetworkInspect(t.Context(), "host", client.NetworkInspectOptions{})
	require.NoError(t, err)
	f := newFixture(t, func(c *dockerengine.Config) { c.Networks = []string{host.Network.ID} })
	f.requireNetworkRejected(t, host.Network.ID, "host:host")
}

// The engine accepts a prefix of an id as a name, and a short name can be the prefix of any
// network's id.
func TestNetworkByAPrefixOfItsID(t *testing.T) {
	t.Parallel()
	api := machine.open(t)
	name := newNetwork(t, api)
	foreign, err := api.NetworkInspect(t.Context(), name, client.NetworkInspectOptions{})
	require.NoError(t, err)
	id := foreign.Network.ID
	f := newFixture(t, func(c *dockerengine.Config) { c.Networks = []string{id[:12], id} })
	f.requireNetworkRejected(t, id[:12], "does not exist")

	spec := f.spec("g2")
	spec.Network = id
	require.Equal(t, name, f.create(t, spec).Network, "the complete id is unambiguous")
}

// requireNetworkRejected fails unless Create rejects the network with the message and
// creates no container.
func (f *fixture) requireNetworkRejected(t *testing.T, network, message string) {
	t.Helper()
	spec := f.spec("g1")
	spec.Network = network
	_, err := f.Create(t.Context(), spec)
	require.ErrorIs(t, err, runtime.ErrInvalid)
	require.ErrorContains(t, err, message)
	listed, err := f.List(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, listed)
}

func TestCreateWithoutImage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	spec := f.spec("g1")
	spec.Labels.Image = machine.image("missing")
	_, err := f.Create(t.Context(), spec)
	require.ErrorIs(t, err, container.ErrNoImage)
}
