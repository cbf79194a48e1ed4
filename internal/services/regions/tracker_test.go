package regions_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/regions"
	"galaxy/rtmanager/internal/testkit/memstore"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// registry returns an overview, or an error.
type registry struct {
	ports.NodeRegistry
	overview node.Overview
	err      error
}

func (r *registry) Overview(context.Context) (node.Overview, error) { return r.overview, r.err }

func TestTrackerKeepsTheStateOfEachRegion(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	for gameID, status := range map[string]runtime.Status{"a": runtime.StatusRunning, "b": runtime.StatusStopped, "c": runtime.StatusRemoved} {
		record := runtime.RuntimeRecord{GameID: gameID, Status: status, Region: "ap", Node: "lost", CurrentContainerID: "c", CreatedAt: noon, LastOpAt: noon, StartedAt: &noon}
		switch status {
		case runtime.StatusStopped:
			record.StoppedAt = &noon
		case runtime.StatusRunning:
		case runtime.StatusRemoved:
			record.StoppedAt, record.RemovedAt, record.CurrentContainerID = &noon, &noon, ""
		}
		require.NoError(t, store.Upsert(t.Context(), record))
	}
	r := &registry{overview: node.Overview{
		Present: []node.Node{{Region: "eu", Name: "n1"}, {Region: "eu", Name: "n2"}},
		Absent: []node.Absent{
			{Node: node.Node{Region: "ap", Name: "lost"}, LostAt: noon}, {Node: node.Node{Region: "ap", Name: "stopped"}, StoppedAt: noon.Add(time.Hour)},
			{Node: node.Node{Region: "eu", Name: "n3"}},
		},
		Leaders: []node.Leader{{Scope: "ap", Region: "eu", Node: "n2"}, {Scope: "eu", Region: "eu", Node: "n2"}},
	}}
	tracker := regions.New(regions.Dependencies{Nodes: r, Records: store}, regions.Config{})
	require.Empty(t, tracker.Regions(), "it makes no request by itself")
	require.NoError(t, tracker.Refresh(t.Context()))
	want := []node.RegionState{
		{Region: "ap", Leader: node.Ref{Region: "eu", Name: "n2"}, GamesOnAbsentNodes: 2, Absent: []node.AbsentNode{
			{Name: "lost", Status: node.StatusLost, Since: noon}, {Name: "stopped", Status: node.StatusStopped, Since: noon.Add(time.Hour)},
		}},
		{Region: "eu", Leader: node.Ref{Region: "eu", Name: "n2"}, Nodes: 2, Absent: []node.AbsentNode{{Name: "n3", Status: node.StatusLost}}},
	}
	require.Equal(t, want, tracker.Regions())
	require.True(t, tracker.Regions()[0].HasCaretaker())
	require.False(t, tracker.Regions()[1].HasCaretaker())

	r.err = errors.New("no response")
	require.ErrorIs(t, tracker.Refresh(t.Context()), r.err)
	require.Equal(t, want, tracker.Regions(), "the states as last known")
}
