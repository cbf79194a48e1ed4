package operation_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

func TestParsePort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]operation.PortSpec{
		"game:7777/udp":       {Name: "game", Protocol: "udp", ContainerPort: 7777},
		"game:7777":           {Name: "game", ContainerPort: 7777},
		"game:20001:7777/udp": {Name: "game", Protocol: "udp", ContainerPort: 7777, Port: 20001},
		"game/udp":            {Name: "game", Protocol: "udp"},
		"game":                {Name: "game"},
	} {
		got, err := operation.ParsePort(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		back, err := operation.ParsePort(got.String())
		require.NoError(t, err, got.String())
		want.Protocol = operation.Spec{Ports: []operation.PortSpec{want}}.WithDefaults().Ports[0].Protocol
		require.Equal(t, want, back, text)
	}
	for _, text := range []string{"", ":1", "game:", "game:x", "game:0", "game:70000", "game:1:2:3", "game:1/", "/udp", "game:-1"} {
		_, err := operation.ParsePort(text)
		require.ErrorContains(t, err, `"`+text+`" is not NAME:[NODE_PORT:]CONTAINER_PORT[/tcp|/udp]`)
	}
}

func TestValidatePorts(t *testing.T) {
	t.Parallel()
	udp := func(name string, containerPort, port int) operation.PortSpec {
		return operation.PortSpec{Name: name, Protocol: runtime.ProtocolUDP, ContainerPort: containerPort, Port: port}
	}
	valid := []operation.Spec{
		{Ports: []operation.PortSpec{udp("game", 7777, 0), {Name: "query", ContainerPort: 7777}}},
		{Ports: []operation.PortSpec{udp("a", 0, 0), udp("b", 0, 0)}},
		{Ports: []operation.PortSpec{{Name: "http", ContainerPort: 8080, Port: 8081}}},
		{Port: 8081, Ports: []operation.PortSpec{udp("game", 8080, 8081)}},
	}
	for _, spec := range valid {
		spec.Image = "gameserver:1.0.0"
		require.NoError(t, spec.Validate(), "%v", spec.Ports)
	}
	for _, c := range []struct {
		spec operation.Spec
		want string
	}{
		{operation.Spec{Ports: []operation.PortSpec{udp("Game", 1, 0)}}, `ports contain the name "Game"`},
		{operation.Spec{Ports: []operation.PortSpec{udp("", 1, 0)}}, `ports contain the name ""`},
		{operation.Spec{Ports: []operation.PortSpec{udp("a_b", 1, 0)}}, `ports contain the name "a_b"`},
		{operation.Spec{Ports: []operation.PortSpec{{Name: "game", Protocol: "sctp"}}}, `protocol "sctp"; use tcp or udp`},
		{operation.Spec{Ports: []operation.PortSpec{udp("game", 70000, 0)}}, "container_port 70000"},
		{operation.Spec{Ports: []operation.PortSpec{udp("game", 1, -1)}}, "port -1"},
		{operation.Spec{Ports: []operation.PortSpec{udp("game", 1, 0), udp("game", 2, 0)}}, `the name "game" twice`},
		{operation.Spec{Ports: []operation.PortSpec{udp("a", 1, 0), udp("b", 1, 0)}}, "container_port 1/udp twice, as a and b"},
		{operation.Spec{Ports: []operation.PortSpec{udp("a", 1, 9), udp("b", 2, 9)}}, "port 9/udp twice, as a and b"},
		{operation.Spec{Port: 9, Ports: []operation.PortSpec{{Name: "http", ContainerPort: 8080}}}, "9 by the member port"},
		{operation.Spec{Port: 9, Ports: []operation.PortSpec{{Name: "rcon", ContainerPort: 1, Port: 9}}}, "port 9, which is that of the member port"},
		{operation.Spec{Ports: make([]operation.PortSpec, 17)}, "ports are 17; at most 16"},
	} {
		c.spec.Image = "gameserver:1.0.0"
		err := c.spec.Validate()
		require.ErrorIs(t, err, runtime.ErrInvalid, c.want)
		require.ErrorContains(t, err, c.want)
	}
}

func TestPortsShareNoMemoryWithClones(t *testing.T) {
	t.Parallel()
	spec := operation.Spec{Ports: []operation.PortSpec{{Name: "game"}}}
	spec.Clone().Ports[0].Name = "other"
	spec.WithDefaults().Ports[0].Name = "other"
	require.Equal(t, operation.PortSpec{Name: "game"}, spec.Ports[0])
}
