package lifecycle_test

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/enginetest"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// Players reach a UDP game, which has no HTTP server for health checks, at the address in its
// record, on both engines.
func TestPlayersReachAGameAtTheAddressInItsRecord(t *testing.T) {
	t.Parallel()
	t.Run("process", func(t *testing.T) {
		t.Parallel()
		testPlayersReachGame(t, nodetest.Config{}, "")
	})
	t.Run("docker", func(t *testing.T) {
		t.Parallel()
		prefix := nodetest.DockerImages(t)
		testPlayersReachGame(t, nodetest.Config{NewEngine: func(store string) ports.Engine {
			engine, err := dockerengine.Open(t.Context(), dockerengine.Config{
				Store: store, Region: "eu", Node: "n1", GamePorts: enginetest.NewGamePorts(), PublicAddress: "localhost",
			})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, engine.Close()) })
			t.Cleanup(func() { nodetest.RemoveAll(t, engine) })
			return engine
		}}, prefix)
	})
}

func testPlayersReachGame(t *testing.T, cfg nodetest.Config, imagePrefix string) {
	n := nodetest.New(t, cfg)
	spec := nodetest.GameSpec("1.0.0", "--echo-udp", "game")
	spec.Image, spec.HealthPath = imagePrefix+spec.Image, operation.NoHealthCheck
	spec.Ports = []operation.PortSpec{{Name: "game", Protocol: runtime.ProtocolUDP, ContainerPort: 7777}, {Name: "voice", Protocol: runtime.ProtocolUDP}}
	n.MustExecute(nodetest.StartOp("g", spec))
	first := n.Record("g").Ports
	require.Len(t, first, 2)
	requireEcho(t, first[0])

	n.MustExecute(nodetest.Op(operation.KindRestart, "g"))
	require.Equal(t, first, n.Record("g").Ports, "a restart keeps the addresses")
	requireEcho(t, first[0])

	patch := nodetest.Op(operation.KindPatch, "g")
	patch.Image = imagePrefix + "gameserver:1.0.1"
	n.MustExecute(patch)
	require.Equal(t, first, n.Record("g").Ports, "a patch keeps the addresses")
	requireEcho(t, first[0])

	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	require.Empty(t, n.Record("g").Ports, "a game that does not run has no address")
	n.MustExecute(nodetest.Op(operation.KindStart, "g"))
	require.Equal(t, first, n.Record("g").Ports, "the next start keeps the addresses")
}

// requireEcho fails unless the game returns a packet that it receives at the port.
func requireEcho(t *testing.T, p runtime.Port) {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "udp", p.Address())
	require.NoError(t, err)
	defer connection.Close()
	require.Eventually(t, func() bool {
		if _, err := connection.Write([]byte("ping")); err != nil {
			return false
		}
		_ = connection.SetReadDeadline(time.Now().Add(time.Second))
		received := make([]byte, 16)
		size, err := connection.Read(received)
		return err == nil && string(received[:size]) == "ping"
	}, nodetest.Timeout, 10*time.Millisecond, "no response from %s", p)
}

// Another program has taken a port of a stopped game.
func TestStartReplacesAPortThatAnotherProgramUses(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	spec := nodetest.GameSpec("1.0.0", "--echo-udp", "game")
	spec.Ports = []operation.PortSpec{{Name: "game", Protocol: runtime.ProtocolUDP}}
	n.MustExecute(nodetest.StartOp("g", spec))
	first := n.Record("g").Ports
	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	other, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", net.JoinHostPort("", strconv.Itoa(first[0].Port)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = other.Close() })

	n.MustExecute(nodetest.Op(operation.KindStart, "g"))
	record := n.Record("g")
	require.NotEqual(t, first[0].Port, record.Ports[0].Port)
	require.EqualValues(t, 2, record.Generation, "the ports of a container do not change")
	requireEcho(t, record.Ports[0])
}
