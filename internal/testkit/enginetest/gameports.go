package enginetest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/gameports"
)

// The ports of NewGamePorts are outside of the ephemeral ports of a machine.
const (
	firstGamePort    = 10000
	gamePortsPerTest = 40
	gamePortRanges   = 550
)

// lastGamePorts counts the ranges of NewGamePorts.
var lastGamePorts atomic.Int64

// firstGamePorts is the number of the first range. It is random, since several test programs
// run on a machine.
var firstGamePorts = rand.IntN(gamePortRanges) //nolint:gosec // it spreads ports

// NewGamePorts returns a range of ports for players that no other test of this program
// uses, for Harness.GamePorts.
func NewGamePorts() gameports.Range {
	first := firstGamePort + gamePortsPerTest*((firstGamePorts+int(lastGamePorts.Add(1)))%gamePortRanges)
	return gameports.Range{First: first, Last: first + gamePortsPerTest - 1}
}

func gamePortTests(h Harness) []contractTest {
	tests := []contractTest{
		{"Create chooses a port of the range for each port of players, and a running container reports them", testGamePortsChosen},
		{"the ports of players are those of the spec, in its order", testGamePortsOfSpec},
		{"no two games have the same port, also while they do not run", testGamePortsDiffer},
		{"a port of the spec that belongs to another game is ErrStartFailed", testGamePortOfOtherGame},
		{"a container keeps its ports until it is removed, also for another engine", testGamePortsKept},
		{"a new container of a game gets the ports of the game's other container", testGamePortsOfGame},
	}
	if h.RunsGames {
		tests = append(tests,
			contractTest{"a game listens on the port of its variable and is reached at its address, by UDP and TCP", testGamePortsReached},
			contractTest{"a TCP port of players with the main container port is the main port", testMainGamePort},
		)
	}
	if h.ChecksPorts {
		tests = append(tests, contractTest{"Create does not choose a port that another program uses", testGamePortInUse})
	}
	return tests
}

// portedSpec returns the spec of a game with a UDP and a TCP port.
func (f *fixture) portedSpec(gameID string, args ...string) container.Spec {
	spec := f.spec(gameID, args...)
	spec.Ports = []runtime.Port{
		{Name: "game", Protocol: runtime.ProtocolUDP, ContainerPort: 7777},
		{Name: "game-data", Protocol: runtime.ProtocolTCP, ContainerPort: 7778},
	}
	return spec
}

func testGamePortsChosen(t *testing.T, f *fixture) {
	created := f.create(t, f.portedSpec("game"))
	require.Empty(t, created.Ports, "a container that does not run has no ports")
	require.Len(t, created.ReservedPorts, 2)
	running := f.start(t, created.ID)
	require.Len(t, running.Ports, 2)
	for i, name := range []string{"game", "game-data"} {
		p := running.Ports[i]
		require.Equal(t, name, p.Name)
		require.Equal(t, []runtime.Protocol{runtime.ProtocolUDP, runtime.ProtocolTCP}[i], p.Protocol)
		require.True(t, f.GamePorts.Contains(p.Port), "port %d", p.Port)
		require.NotEmpty(t, p.Host)
		require.NotZero(t, p.ContainerPort)
	}
	require.Equal(t, running.Ports, f.list(t, "game")[0].Ports)
	require.Equal(t, created.ReservedPorts, running.ReservedPorts)
	require.Equal(t, created.ReservedPorts[0].Port, running.Ports[0].Port)
	require.Empty(t, f.stop(t, created.ID, 0).Ports)
}

func testGamePortsOfSpec(t *testing.T, f *fixture) {
	spec := f.portedSpec("game")
	free, err := f.GamePorts.Choose(t.Context(), runtime.ProtocolUDP, func(gameports.Key) bool { return false })
	require.NoError(t, err)
	spec.Ports[0].Port = free
	spec.Ports[1].ContainerPort = 0
	ports := f.start(t, f.create(t, spec).ID).Ports
	require.Equal(t, free, ports[0].Port)
	require.Equal(t, ports[1].Port, ports[1].ContainerPort, "without a container port, the game listens on the port of the node")
}

func testGamePortsDiffer(t *testing.T, f *fixture) {
	seen := map[gameports.Key]bool{}
	for _, game := range []string{"a", "b", "c"} {
		c := f.create(t, f.portedSpec(game))
		for _, p := range f.start(t, c.ID).Ports {
			key := gameports.Key{Protocol: p.Protocol, Port: p.Port}
			require.False(t, seen[key], "two games have the port %s", key)
			seen[key] = true
		}
		f.stop(t, c.ID, 0)
	}
}

func testGamePortOfOtherGame(t *testing.T, f *fixture) {
	c := f.create(t, f.portedSpec("a"))
	port := f.start(t, c.ID).Ports[0].Port
	f.stop(t, c.ID, 0)
	spec := f.portedSpec("b")
	spec.Ports[0].Port = port
	_, err := f.engine.Create(t.Context(), spec)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, strconv.Itoa(port)+"/udp")
	require.ErrorContains(t, err, `"a"`)
	require.Empty(t, f.list(t, "b"), "it creates nothing")

	require.NoError(t, f.engine.Remove(t.Context(), c.ID))
	require.Equal(t, port, f.start(t, f.create(t, spec).ID).Ports[0].Port)
}

func testGamePortsKept(t *testing.T, f *fixture) {
	c := f.create(t, f.portedSpec("game"))
	ports := f.start(t, c.ID).Ports
	f.reopen(t)
	require.Equal(t, ports, f.inspect(t, c.ID).Ports)
	f.stop(t, c.ID, 0)
	require.Equal(t, ports, f.start(t, c.ID).Ports)
}

func testGamePortsOfGame(t *testing.T, f *fixture) {
	first := f.start(t, f.create(t, f.portedSpec("game")).ID)
	second := f.create(t, f.portedSpec("game"))
	f.stop(t, first.ID, 0)
	require.Equal(t, first.Ports, f.start(t, second.ID).Ports, "it is created while the other runs")
	require.NoError(t, f.engine.Remove(t.Context(), first.ID))
	f.stop(t, second.ID, 0)
	for _, p := range first.Ports {
		key := gameports.Key{Protocol: p.Protocol, Port: p.Port}
		eventually(t, "port "+key.String()+" is free", func() bool { return gameports.CheckFree(t.Context(), key) == nil })
	}
	third := f.create(t, f.portedSpec("game"))
	require.Equal(t, first.Ports, f.start(t, third.ID).Ports, "it is created while the other does not run")
}

func testGamePortsReached(t *testing.T, f *fixture) {
	c := f.start(t, f.create(t, f.portedSpec("game", "--echo-udp=game", "--echo-tcp=game-data")).ID)
	for _, p := range c.Ports {
		address := p.Address()
		eventually(t, "the game echoes at "+address, func() bool { return echoes(t, string(p.Protocol), address) })
	}
	clientOf(c).waitReady(t)
	for name, p := range map[string]runtime.Port{"PORT_GAME": c.Ports[0], "PORT_GAME_DATA": c.Ports[1]} {
		text, _ := clientOf(c).variable(t, name)
		require.Equal(t, strconv.Itoa(p.ContainerPort), text, name)
	}
	f.stop(t, c.ID, longGrace)
	require.False(t, echoes(t, "udp", c.Ports[0].Address()))
}

// echoes reports whether a program at the address returns what it receives.
func echoes(t *testing.T, network, address string) bool {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), network, address)
	if err != nil {
		return false
	}
	defer func() { _ = connection.Close() }()
	require.NoError(t, connection.SetDeadline(time.Now().Add(time.Second)))
	if _, err := connection.Write([]byte("ping")); err != nil {
		return false
	}
	received := make([]byte, 16)
	n, err := connection.Read(received)
	return err == nil && string(received[:n]) == "ping"
}

func testMainGamePort(t *testing.T, f *fixture) {
	spec := f.spec("game")
	spec.Ports = []runtime.Port{{Name: "http", Protocol: runtime.ProtocolTCP, ContainerPort: spec.ContainerPort}}
	c := f.start(t, f.create(t, spec).ID)
	require.Equal(t, "http://"+c.Ports[0].Address(), c.Endpoint)
	clientOf(c).waitReady(t)
}

func testGamePortInUse(t *testing.T, f *fixture) {
	spec := f.portedSpec("game")
	c := f.create(t, spec)
	port := f.start(t, c.ID).Ports[0].Port
	f.stop(t, c.ID, 0)
	var inUse net.PacketConn
	eventually(t, "the port of the stopped game is free", func() (isFree bool) {
		var err error
		inUse, err = new(net.ListenConfig).ListenPacket(t.Context(), "udp", ":"+strconv.Itoa(port))
		return err == nil
	})
	t.Cleanup(func() { _ = inUse.Close() })

	err := f.engine.Start(t.Context(), c.ID)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, strconv.Itoa(port))
	spec.Name += "-2"
	require.NotEqual(t, port, f.start(t, f.create(t, spec).ID).Ports[0].Port)
}
