package httpserver_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/maintenance"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// memorySettings keeps settings in memory. Node none is not known, nor is region none.
type memorySettings struct {
	mu      sync.Mutex
	nodes   map[node.Ref]node.Settings
	regions map[string]node.RegionSettings
}

var _ ports.NodeSettingsStore = (*memorySettings)(nil)

func newMaintenance() httpserver.Maintenance {
	return maintenance.New(maintenance.Dependencies{
		Nodes: new(fakeRegistry), Records: memstore.New(),
		Settings: &memorySettings{nodes: map[node.Ref]node.Settings{}, regions: map[string]node.RegionSettings{}},
	}, maintenance.Config{Clock: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }})
}

func (m *memorySettings) Maintenance(context.Context) (node.Maintenance, error) {
	return node.Maintenance{}, nil
}

func (m *memorySettings) UpdateNode(_ context.Context, ref node.Ref, change func(*node.Settings) error) (node.Settings, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ref.Name == "none" {
		return node.Settings{}, &node.UnknownError{Node: ref}
	}
	settings := m.nodes[ref]
	err := change(&settings)
	m.nodes[ref] = settings
	return settings, err
}

func (m *memorySettings) UpdateRegion(_ context.Context, region string, change func(*node.RegionSettings) error) (node.RegionSettings, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if region == "none" {
		return node.RegionSettings{}, &node.UnknownError{Node: node.Ref{Region: region}}
	}
	settings := m.regions[region]
	err := change(&settings)
	m.regions[region] = settings
	return settings, err
}

func (m *memorySettings) FollowMaintenance(ctx context.Context, _ func(node.Maintenance)) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// A caller needs the permission operate for every game of the region. The name of a node may be any text.
func TestSettingsOfNodes(t *testing.T) {
	t.Parallel()
	s := startSecured(t, func(cfg *servertest.Config) { cfg.Maintenance = newMaintenance() })
	operator, reader := s.token("ops", "operator@eu"), s.token("view", "reader")
	ofGame := s.token("game", "operator@eu:chess-*")
	reason := "Rtmanager-Reason: disk\r\n"
	for _, step := range []struct {
		headers, path string
		status        int
		body          string
	}{
		{operator + reason, "/v1/nodes/eu/n1/cordon", 200, `{"region":"eu","node":"n1","settings":{"cordoned":{"reason":"disk","by":"token:ops","at":"2026-03-01T12:00:00Z"}}}`},
		{operator, "/v1/nodes/eu/n1/uncordon", 200, `{"region":"eu","node":"n1","settings":{}}`},
		{operator, "/v1/nodes/eu/a%2Fb/pause", 200, `{"region":"eu","node":"a/b","settings":{"paused":{"by":"token:ops","at":"2026-03-01T12:00:00Z"}}}`},
		{operator, "/v1/nodes/eu/a%2Fb/resume", 200, `{"region":"eu","node":"a/b","settings":{}}`},
		{operator, "/v1/regions/eu/pause", 200, `{"region":"eu","settings":{"paused":{"by":"token:ops","at":"2026-03-01T12:00:00Z"}}}`},
		{operator, "/v1/regions/eu/resume", 200, `{"region":"eu","settings":{}}`},
		{operator, "/v1/nodes/us/n1/cordon", 403, ""},
		{operator, "/v1/regions/us/pause", 403, ""},
		{ofGame, "/v1/nodes/eu/n1/cordon", 403, ""},
		{reader, "/v1/nodes/eu/n1/cordon", 403, ""},
		{operator, "/v1/nodes/eu/none/cordon", 404, ""},
		{operator + "Rtmanager-Reason: UTF-8''%FF\r\n", "/v1/nodes/eu/n1/cordon", 400, ""},
	} {
		got := s.send("POST", step.path, step.headers, "")
		require.Equal(t, step.status, got.StatusCode, "%s: %s", step.path, got.body)
		if step.body != "" {
			require.JSONEq(t, step.body, got.body)
		}
	}
	plain := start(t, httpserver.Config{})
	require.Equal(t, plain.send("GET", "/v1/nodes", "", "").StatusCode, plain.send("POST", "/v1/nodes/eu/n1/cordon", "", "").StatusCode, "a daemon without a cluster")
}
