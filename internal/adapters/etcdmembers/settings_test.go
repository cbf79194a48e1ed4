package etcdmembers_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

var (
	n1   = node.Ref{Region: "eu", Name: "n1"}
	mark = node.Mark{Reason: "kernel update", By: "ada", At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
)

func cordon(s *node.Settings) error {
	s.Cordoned = &mark
	return nil
}

func TestSettingsOfANode(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	registry := f.registry(nil, longTTL)
	_, err := registry.UpdateNode(t.Context(), n1, cordon)
	require.EqualError(t, err, "no such node: eu/n1")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	member := f.join(registry, newNode("n1"))

	settings, err := registry.UpdateNode(t.Context(), n1, cordon)
	require.NoError(t, err)
	require.Equal(t, node.Settings{Cordoned: &mark}, settings)
	nodes, err := registry.Nodes(t.Context())
	require.NoError(t, err)
	require.Equal(t, settings, nodes[0].Settings)
	overview, err := registry.Overview(t.Context())
	require.NoError(t, err)
	require.Equal(t, settings, overview.Present[0].Settings)
	require.Equal(t, map[node.Ref]node.Settings{n1: settings}, overview.Maintenance.Nodes)

	require.NoError(t, member.Close())
	overview, err = registry.Overview(t.Context())
	require.NoError(t, err)
	require.Equal(t, settings, overview.Absent[0].Settings, "the settings survive the daemon")
	_, err = registry.UpdateNode(t.Context(), n1, func(s *node.Settings) error { s.Cordoned = nil; return nil })
	require.NoError(t, err, "the settings of an absent node can be changed")
	value, _, _ := f.readRaw("/node-settings/eu/n1")
	require.Empty(t, value, "settings of a node in service take no space")

	_, err = registry.UpdateNode(t.Context(), n1, cordon)
	require.NoError(t, err)
	require.NoError(t, registry.RemoveNode(t.Context(), n1))
	value, _, _ = f.readRaw("/node-settings/eu/n1")
	require.Empty(t, value, "the settings go with the node")
}

func TestSettingsOfARegion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	registry := f.registry(nil, longTTL)
	pause := func(s *node.RegionSettings) error { s.Paused = &mark; return nil }
	_, err := registry.UpdateRegion(t.Context(), "eu", pause)
	require.ErrorIs(t, err, runtime.ErrNotFound)
	f.join(registry, newNode("n1"))
	_, err = registry.UpdateRegion(t.Context(), "e", pause)
	require.ErrorIs(t, err, runtime.ErrNotFound, "another region whose name is a prefix")
	_, err = registry.UpdateRegion(t.Context(), "eu", pause)
	require.NoError(t, err)
	m, err := registry.Maintenance(t.Context())
	require.NoError(t, err)
	require.Equal(t, "region eu is paused: kernel update, by ada", m.PauseText(n1))
	require.Empty(t, m.PauseText(node.Ref{Region: "us", Name: "n1"}))
}

func TestSettingsKeepMembersOfNewerVersions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	registry := f.registry(nil, longTTL)
	f.join(registry, newNode("n1"))
	f.putRaw("/node-settings/eu/n1", `{"drained":{"by":"bob"},"paused":{"at":"2026-03-01T12:00:00Z"}}`)
	_, err := registry.UpdateNode(t.Context(), n1, func(s *node.Settings) error { s.Paused = nil; return nil })
	require.NoError(t, err)
	value, _, _ := f.readRaw("/node-settings/eu/n1")
	require.JSONEq(t, `{"drained":{"by":"bob"}}`, value)
}

func TestCorruptSettingsAreNotOverwritten(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	registry := f.registry(nil, longTTL)
	f.join(registry, newNode("n1"))
	f.putRaw("/node-settings/eu/n1", "[")
	f.putRaw("/node-settings/eu/", "{}")
	_, err := registry.UpdateNode(t.Context(), n1, cordon)
	require.ErrorIs(t, err, runtime.ErrCorrupt)
	m, err := registry.Maintenance(t.Context())
	require.NoError(t, err)
	require.Empty(t, m.Nodes)
	value, _, _ := f.readRaw("/node-settings/eu/n1")
	require.Equal(t, "[", value)
}

func TestConcurrentChangesOfSettingsAreAllApplied(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	registry := f.registry(nil, longTTL)
	f.join(registry, newNode("n1"))
	var wg sync.WaitGroup
	errs := make([]error, 2)
	wg.Go(func() { _, errs[0] = registry.UpdateNode(t.Context(), n1, cordon) })
	wg.Go(func() {
		_, errs[1] = registry.UpdateNode(t.Context(), n1, func(s *node.Settings) error { s.Paused = &mark; return nil })
	})
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	m, err := registry.Maintenance(t.Context())
	require.NoError(t, err)
	require.Equal(t, node.Settings{Cordoned: &mark, Paused: &mark}, m.Nodes[n1])
	refused := errors.New("refused")
	_, err = registry.UpdateNode(t.Context(), n1, func(*node.Settings) error { return refused })
	require.ErrorIs(t, err, refused)
}

func TestSettingsAreFollowed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	registry := f.registry(nil, longTTL)
	f.join(registry, newNode("n1"))
	reports := make(chan node.Maintenance, 16)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- registry.FollowMaintenance(ctx, func(m node.Maintenance) { reports <- m })
	}()
	require.Empty(t, receive(t, reports, "the first settings").Nodes)
	_, err := registry.UpdateNode(t.Context(), n1, cordon)
	require.NoError(t, err)
	require.NotNil(t, receive(t, reports, "the cordon").Nodes[n1].Cordoned)
	_, err = registry.UpdateNode(t.Context(), n1, func(s *node.Settings) error { s.Cordoned = nil; return nil })
	require.NoError(t, err)
	require.Empty(t, receive(t, reports, "the end of the cordon").Nodes)
	cancel()
	require.ErrorIs(t, receive(t, done, "the end"), context.Canceled)
}

// A node that is removed while its settings are changed gets none: they would apply to a later node of the
// same name.
func TestSettingsOfANodeThatIsRemoved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	registry := f.registry(nil, longTTL)
	require.NoError(t, f.join(registry, newNode("n1")).Close())
	calls := 0
	_, err := registry.UpdateNode(t.Context(), n1, func(s *node.Settings) error {
		if calls++; calls == 1 {
			require.NoError(t, registry.RemoveNode(t.Context(), n1))
		}
		return cordon(s)
	})
	require.EqualError(t, err, "no such node: eu/n1")
	settings, err := registry.Maintenance(t.Context())
	require.NoError(t, err)
	require.Empty(t, settings.Nodes)
}
