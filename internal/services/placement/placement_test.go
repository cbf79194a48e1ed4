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

// offers are those of a/x and a/y.
func offers(x, y node.Offer) map[node.Ref]node.Offer {
	return map[node.Ref]node.Offer{ref("a", "x"): x, ref("a", "y"): y}
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
		"failures count before images":      {placement.Request{Nodes: nodes(), Region: "a", Offers: offers(node.Offer{HasImage: true, Failures: 1}, node.Offer{})}, "a/y"},
		"images count before games":         {placement.Request{Nodes: nodes(), Load: load, Region: "a", Offers: offers(node.Offer{HasImage: true}, node.Offer{})}, "a/x"},
		"the previous node before games":    {placement.Request{Nodes: nodes(), Load: load, Region: "a", Previous: ref("a", "x")}, "a/x"},
		"images count before the previous":  {placement.Request{Nodes: nodes(), Region: "a", Previous: ref("a", "x"), Offers: offers(node.Offer{}, node.Offer{HasImage: true})}, "a/y"},
		"the preferred of equals":           {placement.Request{Nodes: nodes(), Region: "a", Preferred: ref("a", "y")}, "a/y"},
		"games count before the preferred":  {placement.Request{Nodes: nodes(), Load: load, Region: "a", Preferred: ref("a", "x")}, "a/y"},
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
	selection, found, err := scheduler.Select(t.Context(), placement.Request{Nodes: nodes(), Region: "a"})
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "a/y", selection.Node.Ref().String())

	_, found, err = scheduler.Select(t.Context(), placement.Request{Nodes: nodes(), Region: "c"})
	require.NoError(t, err)
	require.False(t, found)
}

// Simultaneous starts spread over the nodes: a game counts from its selection on, until its
// start has ended and its record counts.
func TestSchedulerCountsGamesThatStart(t *testing.T) {
	t.Parallel()
	scheduler := placement.NewScheduler(memstore.New())
	counts := placement.Load{}
	var releases []func()
	request := placement.Request{Nodes: nodes(), Region: "a", Preferred: ref("a", "y")}
	for range 12 {
		selection, found, err := scheduler.Select(t.Context(), request)
		require.NoError(t, err)
		require.True(t, found)
		counts[selection.Node.Ref()]++
		releases = append(releases, selection.Release)
	}
	require.Equal(t, placement.Load{ref("a", "x"): 6, ref("a", "y"): 6}, counts)

	for _, release := range releases {
		release()
		release() // the second call does nothing
	}
	selection, _, err := scheduler.Select(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, "a/y", selection.Node.Ref().String(), "no start is pending")

	// Starts that another daemon has placed count by the offer of the node.
	request.Offers = offers(node.Offer{}, node.Offer{Starting: 3})
	selection, _, err = scheduler.Select(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, "a/x", selection.Node.Ref().String())
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
	selection, found, err := scheduler.Select(t.Context(), placement.Request{Nodes: nodes(), Region: "b"})
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "b/z", selection.Node.Ref().String())
	_, _, err = scheduler.Select(t.Context(), placement.Request{Nodes: nodes()})
	require.ErrorIs(t, err, broken)
}
