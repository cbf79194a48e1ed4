package placement_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
	"galaxy/rtmanager/internal/testkit/memstore"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// nodes are a/x, a/y, b/z with an engine, and a/w without one.
func nodes() []node.Node {
	return []node.Node{
		{Region: "a", Name: "w"},
		{Region: "a", Name: "x", Engine: "fake"},
		{Region: "a", Name: "y", Engine: "fake"},
		{Region: "b", Name: "z", Engine: "fake"},
	}
}

func ref(region, name string) node.Ref { return node.Ref{Region: region, Name: name} }

func TestSelect(t *testing.T) {
	t.Parallel()
	load := placement.Load{ref("a", "x"): 2, ref("a", "y"): 1}
	for name, row := range map[string]struct {
		request placement.Request
		want    string // empty for no node
	}{
		"no nodes":                          {placement.Request{}, ""},
		"no node with an engine":            {placement.Request{Nodes: nodes()[:1]}, ""},
		"no node of the region":             {placement.Request{Nodes: nodes(), Region: "c"}, ""},
		"the first of equals":               {placement.Request{Nodes: nodes()}, "a/x"},
		"the fewest games":                  {placement.Request{Nodes: nodes(), Load: load}, "b/z"},
		"the fewest games of the region":    {placement.Request{Nodes: nodes(), Load: load, Region: "a"}, "a/y"},
		"failures count before games":       {placement.Request{Nodes: nodes(), Load: load, Region: "a", Failures: map[node.Ref]int{ref("a", "y"): 1}}, "a/x"},
		"games count among equal failures":  {placement.Request{Nodes: nodes(), Load: load, Region: "a", Failures: map[node.Ref]int{ref("a", "x"): 1, ref("a", "y"): 1}}, "a/y"},
		"a failed node is better than none": {placement.Request{Nodes: nodes(), Region: "b", Failures: map[node.Ref]int{ref("b", "z"): 9}}, "b/z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			selected, found := placement.Select(row.request)
			require.Equal(t, row.want != "", found)
			if found {
				require.Equal(t, row.want, selected.Ref().String())
			}
		})
	}
}

func TestRecentFailuresEndAtTheLastSuccess(t *testing.T) {
	t.Parallel()
	failed := func(kind operation.Kind, name string) operation.Outcome {
		return operation.Outcome{Kind: kind, Region: "a", Node: name, Failure: &operation.Failure{}}
	}
	require.Equal(t, map[node.Ref]int{ref("a", "x"): 2, ref("a", "y"): 1}, placement.RecentFailures([]operation.Outcome{
		failed(operation.KindReschedule, "x"), failed(operation.KindReschedule, "y"), failed(operation.KindStart, "y"), failed(operation.KindReschedule, "x"),
		{Kind: operation.KindStart, Region: "a", Node: "x"}, failed(operation.KindReschedule, "y"),
	}))
}

// The scheduler counts running games only: a stopped game uses no resources.
func TestSchedulerCountsRunningGames(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	put := func(name string, count int, status runtime.Status) {
		for i := range count {
			record := runtime.RuntimeRecord{
				GameID: fmt.Sprintf("%s-%s-%d", name, status, i), Status: status, Region: "a", Node: name,
				CurrentContainerID: "c", CreatedAt: noon, LastOpAt: noon, StartedAt: &noon,
			}
			if status == runtime.StatusStopped {
				record.StoppedAt = &noon
			}
			require.NoError(t, store.Upsert(t.Context(), record))
		}
	}
	put("x", 2, runtime.StatusRunning)
	put("y", 1, runtime.StatusRunning)
	put("y", 5, runtime.StatusStopped)
	scheduler := placement.NewScheduler(store)
	selected, found, err := scheduler.Select(t.Context(), placement.Request{Nodes: nodes(), Region: "a"})
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "a/y", selected.Ref().String())

	_, found, err = scheduler.Select(t.Context(), placement.Request{Nodes: nodes(), Region: "c"})
	require.NoError(t, err)
	require.False(t, found)
}

// brokenLister is a store that cannot be listed.
type brokenLister struct{ err error }

func (b brokenLister) ListPage(context.Context, ports.PageQuery) (ports.Page, error) {
	return ports.Page{}, b.err
}

func TestSchedulerNeedsTheStoreOnlyForAChoice(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	scheduler := placement.NewScheduler(brokenLister{broken})
	selected, found, err := scheduler.Select(t.Context(), placement.Request{Nodes: nodes(), Region: "b"})
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "b/z", selected.Ref().String())
	_, _, err = scheduler.Select(t.Context(), placement.Request{Nodes: nodes()})
	require.ErrorIs(t, err, broken)
}
