package operation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

func TestHealthCheckOfASpec(t *testing.T) {
	t.Parallel()
	const timeout = operation.Duration(2 * time.Second)
	for name, c := range map[string]struct {
		spec operation.Spec
		want operation.HealthCheck
	}{
		"default":            {operation.Spec{}, operation.HealthCheck{Kind: "http", Path: "/healthz", Timeout: timeout}},
		"health_path":        {operation.Spec{HealthPath: "/ok"}, operation.HealthCheck{Kind: "http", Path: "/ok", Timeout: timeout}},
		"health_path none":   {operation.Spec{HealthPath: "none"}, operation.HealthCheck{Kind: "none", Timeout: timeout}},
		"kind none":          {operation.Spec{Health: operation.HealthCheck{Kind: "none"}}, operation.HealthCheck{Kind: "none", Timeout: timeout}},
		"path":               {operation.Spec{Health: operation.HealthCheck{Path: "/ok"}}, operation.HealthCheck{Kind: "http", Path: "/ok", Timeout: timeout}},
		"tcp with a default": {operation.Spec{Health: operation.HealthCheck{Kind: "tcp"}}.WithDefaults(), operation.HealthCheck{Kind: "tcp", Timeout: timeout}},
		"exec":               {operation.Spec{Health: operation.HealthCheck{Exec: operation.HealthCommand{Command: []string{"ls"}}}}, operation.HealthCheck{Kind: "exec", Exec: operation.HealthCommand{Command: []string{"ls"}}, Timeout: timeout}},
		"named port":         {operation.Spec{Health: operation.HealthCheck{Port: "a"}, Ports: []operation.PortSpec{{Name: "a"}}}, operation.HealthCheck{Kind: "http", Port: "a", Path: "/healthz", Timeout: timeout}},
		"heartbeat": {
			operation.Spec{Health: operation.HealthCheck{Kind: "heartbeat", Timeout: 1}},
			operation.HealthCheck{Kind: "heartbeat", Timeout: 1, Interval: operation.Duration(10 * time.Second)},
		},
	} {
		require.Equal(t, c.want, c.spec.HealthCheck(), name)
		require.Equal(t, c.want.Kind != "none", c.spec.HasHealthCheck(), name)
		c.spec.Image = "gameserver:1.0.0"
		require.NoError(t, c.spec.Validate(), name)
	}
}

func TestHealthTarget(t *testing.T) {
	t.Parallel()
	const endpoint = "http://[::1]:8080"
	target := func(kind operation.HealthKind, endpoint, state string) (operation.HealthTarget, bool) {
		return operation.Spec{Health: operation.HealthCheck{Kind: kind}}.HealthCheck().Target(operation.HealthSource{Endpoint: endpoint, StatePath: state})
	}
	got, isKnown := target("http", endpoint, "")
	require.True(t, isKnown)
	require.Equal(t, endpoint+"/healthz", got.URL)
	got, isKnown = target("tcp", endpoint, "")
	require.True(t, isKnown)
	require.Equal(t, "tcp://[::1]:8080", got.URL)
	got, isKnown = target("heartbeat", "", "/state/g")
	require.True(t, isKnown)
	require.Equal(t, "/state/g/heartbeat", got.Heartbeat)
	require.Equal(t, 10*time.Second, got.MaxAge)
	for _, kind := range []operation.HealthKind{"http", "tcp", "heartbeat"} {
		_, isKnown = target(kind, "", "")
		require.False(t, isKnown, kind)
	}
}

func TestValidateHealth(t *testing.T) {
	t.Parallel()
	for want, spec := range map[string]operation.Spec{
		`health.kind "script" is not a kind of health checks; use one of http, tcp, exec, heartbeat, none`: {Health: operation.HealthCheck{Kind: "script"}},
		"health.exec.command is required":                              {Health: operation.HealthCheck{Kind: "exec"}},
		"health.exec is for the kind exec, and the kind is tcp":        {Health: operation.HealthCheck{Kind: "tcp", Exec: operation.HealthCommand{Command: []string{"ls"}}}},
		"which is not UTF-8 text without NUL":                          {Health: operation.HealthCheck{Exec: operation.HealthCommand{Command: []string{"ls", "\x00"}}}},
		"health.exec.command has 5003 bytes":                           {Health: operation.HealthCheck{Exec: operation.HealthCommand{Command: []string{"a", strings.Repeat("x", 5000)}}}},
		`health.port "query" is not the name of a TCP port`:            {Health: operation.HealthCheck{Port: "query"}, Ports: []operation.PortSpec{{Name: "game"}, {Name: "udp", Protocol: "udp"}}},
		`health.port "udp" is not the name of a TCP port`:              {Health: operation.HealthCheck{Port: "udp"}, Ports: []operation.PortSpec{{Name: "udp", Protocol: "udp"}}},
		"health.port is for the kinds http and tcp, and the kind is n": {Health: operation.HealthCheck{Kind: "none", Port: "a"}, Ports: []operation.PortSpec{{Name: "a"}}},
		`health.path "x" is not a path`:                                {Health: operation.HealthCheck{Path: "x"}},
		"health.path is for the kind http, and the kind is tcp":        {Health: operation.HealthCheck{Kind: "tcp", Path: "/x"}},
		`health_path "none" contradicts the member health`:             {HealthPath: "none", Health: operation.HealthCheck{Kind: "tcp"}},
		`health_path "/a" contradicts the path "/b"`:                   {HealthPath: "/a", Health: operation.HealthCheck{Path: "/b"}},
		"health.start_delay -1ns is not from 0":                        {Health: operation.HealthCheck{StartDelay: -1}},
		"health.interval 2h0m0s is not from 0":                         {Health: operation.HealthCheck{Interval: operation.Duration(2 * time.Hour)}},
		"health.timeout -1ns is not from 0":                            {Health: operation.HealthCheck{Timeout: -1}},
		"health.failure_threshold -1 is not from 0 to 1000":            {Health: operation.HealthCheck{FailureThreshold: -1}},
	} {
		spec.Image = "gameserver:1.0.0"
		err := spec.Validate()
		require.ErrorIs(t, err, runtime.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}

// A check of a named port uses the host of the main port.
func TestHealthTargetOfANamedPort(t *testing.T) {
	t.Parallel()
	source := operation.HealthSource{
		Endpoint: "http://[::1]:8080", ContainerID: "c1",
		Ports: []runtime.Port{{Name: "game", Host: "play.example", ContainerPort: 7777, Port: 20001}, {Name: "query", ContainerPort: 7778, Port: 20002}},
	}
	check := operation.Spec{Health: operation.HealthCheck{Kind: "tcp", Port: "query"}}.HealthCheck()
	got, isKnown := check.Target(source)
	require.True(t, isKnown)
	require.Equal(t, "tcp://[::1]:20002", got.URL)
	source.HasContainerAddress = true
	got, _ = check.Target(source)
	require.Equal(t, "tcp://[::1]:7778", got.URL)
	check.Kind, check.Path = "http", "/ok"
	got, _ = check.Target(source)
	require.Equal(t, "http://[::1]:7778/ok", got.URL)
	source.Ports = nil
	_, isKnown = check.Target(source)
	require.False(t, isKnown)
	got, isKnown = operation.Spec{Health: operation.HealthCheck{Exec: operation.HealthCommand{Command: []string{"ls", "-l"}}}}.HealthCheck().Target(source)
	require.True(t, isKnown)
	require.Equal(t, operation.HealthTarget{Command: []string{"ls", "-l"}, ContainerID: "c1", Timeout: 2 * time.Second}, got)
}
