package placement_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/services/placement"
)

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
	load := placement.Load{ref("a", "x"): {Games: 2}, ref("a", "y"): {Games: 1}}
	for name, row := range map[string]struct {
		request placement.Request
		want    string // empty for no node
	}{
		"no nodes":                           {placement.Request{}, ""},
		"no node with an engine":             {placement.Request{Nodes: nodes()[:1]}, ""},
		"no node of the region":              {placement.Request{Nodes: nodes(), Region: "c"}, ""},
		"the first of equals":                {placement.Request{Nodes: nodes()}, "a/x"},
		"the fewest games":                   {placement.Request{Nodes: nodes(), Load: load}, "b/z"},
		"the fewest games of the region":     {placement.Request{Nodes: nodes(), Load: load, Region: "a"}, "a/y"},
		"the most games to pack":             {placement.Request{Nodes: nodes(), Load: load, Region: "a", Spec: operation.Spec{Placement: operation.PlacementPack}}, "a/x"},
		"failures count before games":        {placement.Request{Nodes: nodes(), Load: load, Region: "a", Failures: map[node.Ref]int{ref("a", "y"): 1}}, "a/x"},
		"games count among equal failures":   {placement.Request{Nodes: nodes(), Load: load, Region: "a", Failures: map[node.Ref]int{ref("a", "x"): 1, ref("a", "y"): 1}}, "a/y"},
		"failures count before images":       {placement.Request{Nodes: nodes(), Region: "a", Offers: offers(node.Offer{HasImage: true, Failures: 1}, node.Offer{})}, "a/y"},
		"a missing image counts as one game": {placement.Request{Nodes: nodes(), Load: load, Region: "a", Offers: offers(node.Offer{HasImage: true}, node.Offer{})}, "a/x"},
		"two games count more":               {placement.Request{Nodes: nodes(), Load: placement.Load{ref("a", "x"): {Games: 2}}, Region: "a", Offers: offers(node.Offer{HasImage: true}, node.Offer{})}, "a/y"},
		"the previous node before games":     {placement.Request{Nodes: nodes(), Load: load, Region: "a", Previous: ref("a", "x")}, "a/x"},
		"the preferred of equals":            {placement.Request{Nodes: nodes(), Region: "a", Preferred: ref("a", "y")}, "a/y"},
		"games count before the preferred":   {placement.Request{Nodes: nodes(), Load: load, Region: "a", Preferred: ref("a", "x")}, "a/y"},
		"a failed node is better than none":  {placement.Request{Nodes: nodes(), Region: "b", Failures: map[node.Ref]int{ref("b", "z"): 9}}, "b/z"},
		"an excluded node is not":            {placement.Request{Nodes: nodes(), Region: "b", Excluded: map[node.Ref]string{ref("b", "z"): "is cordoned"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			selected := placement.Select(row.request).Selected
			require.Equal(t, row.want != "", !selected.IsZero())
			if row.want != "" {
				require.Equal(t, row.want, selected.String())
			}
		})
	}
}

// A process engine cannot pull: another node is selected, although it runs more games.
func TestMissingImageOfAProcessEngine(t *testing.T) {
	t.Parallel()
	processes := nodes()
	for i := range processes {
		processes[i].Engine = container.EngineKindProcess
	}
	selected := placement.Select(placement.Request{
		Nodes: processes, Region: "a", Load: placement.Load{ref("a", "x"): {Games: 9}}, Offers: offers(node.Offer{HasImage: true}, node.Offer{}),
	}).Selected
	require.Equal(t, "a/x", selected.String())
}

// limited is a node with capacity, labels and taints.
func limited(name string, edit func(*node.Node)) node.Node {
	n := node.Node{Region: "a", Name: name, Engine: "fake"}
	edit(&n)
	return n
}

func TestNodesThatDoNotFit(t *testing.T) {
	t.Parallel()
	taint := node.Taint{Key: "gpu", Value: "yes", Effect: node.NoSchedule}
	for name, row := range map[string]struct {
		node    node.Node
		spec    operation.Spec
		used    node.Usage
		isNamed bool
		want    string // empty if it fits
	}{
		"space":             {limited("n", func(n *node.Node) { n.Capacity.Games = 2 }), operation.Spec{}, node.Usage{Games: 1}, false, ""},
		"games":             {limited("n", func(n *node.Node) { n.Capacity.Games = 2 }), operation.Spec{}, node.Usage{Games: 2}, false, "has 2 of 2 games"},
		"games, named":      {limited("n", func(n *node.Node) { n.Capacity.Games = 2 }), operation.Spec{}, node.Usage{Games: 2}, true, "has 2 of 2 games"},
		"CPUs":              {limited("n", func(n *node.Node) { n.Capacity.CPUs = 4 }), operation.Spec{CPUs: 1.5}, node.Usage{CPUs: 3}, false, "has 3 of 4 CPUs in use and the game requests 1.5"},
		"all CPUs":          {limited("n", func(n *node.Node) { n.Capacity.CPUs = 1 }), operation.Spec{CPUs: 0.1}, node.Usage{CPUs: 0.1 * 9}, false, ""},
		"a smaller request": {limited("n", func(n *node.Node) { n.Capacity.CPUs = 4 }), operation.Spec{CPUs: 1.5, RequestCPUs: 1}, node.Usage{CPUs: 3}, false, ""},
		"no request":        {limited("n", func(n *node.Node) { n.Capacity.CPUs = 4 }), operation.Spec{}, node.Usage{CPUs: 5}, false, ""},
		"memory":            {limited("n", func(n *node.Node) { n.Capacity.MemoryBytes = 4 << 30 }), operation.Spec{MemoryBytes: 2 << 30}, node.Usage{MemoryBytes: 3 << 30}, false, "has 3 GiB of 4 GiB memory in use and the game requests 2 GiB"},
		"label":             {limited("n", func(n *node.Node) { n.Labels = map[string]string{"disk": "ssd"} }), operation.Spec{NodeSelector: map[string]string{"disk": "ssd"}}, node.Usage{}, false, ""},
		"missing label":     {limited("n", func(n *node.Node) { n.Labels = map[string]string{"disk": "hdd"} }), operation.Spec{NodeSelector: map[string]string{"disk": "ssd"}}, node.Usage{}, false, "lacks the label disk=ssd"},
		"taint":             {limited("n", func(n *node.Node) { n.Taints = []node.Taint{taint} }), operation.Spec{}, node.Usage{}, false, "has the taint gpu=yes:NoSchedule, which the game does not tolerate"},
		"taint, named":      {limited("n", func(n *node.Node) { n.Taints = []node.Taint{taint} }), operation.Spec{}, node.Usage{}, true, ""},
		"tolerated taint":   {limited("n", func(n *node.Node) { n.Taints = []node.Taint{taint} }), operation.Spec{Tolerations: []node.Toleration{{Key: "gpu"}}}, node.Usage{}, false, ""},
		"other value":       {limited("n", func(n *node.Node) { n.Taints = []node.Taint{taint} }), operation.Spec{Tolerations: []node.Toleration{{Key: "gpu", Value: "no"}}}, node.Usage{}, false, "has the taint gpu=yes:NoSchedule, which the game does not tolerate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checked := placement.Select(placement.Request{
				Region: "a", Nodes: []node.Node{row.node}, Spec: row.spec, IsNamed: row.isNamed, Load: placement.Load{ref("a", "n"): row.used},
			})
			require.Len(t, checked.Nodes, 1)
			require.Equal(t, row.want, checked.Nodes[0].Reason)
			require.Equal(t, row.want == "", checked.Selected == ref("a", "n"))
		})
	}
}

func TestPreferNoScheduleIsALastChoice(t *testing.T) {
	t.Parallel()
	avoided := limited("x", func(n *node.Node) { n.Taints = []node.Taint{{Key: "spot", Effect: node.PreferNoSchedule}} })
	request := placement.Request{Region: "a", Nodes: []node.Node{avoided, nodes()[2]}, Load: placement.Load{ref("a", "y"): {Games: 9}}}
	require.Equal(t, "a/y", placement.Select(request).Selected.String())
	request.Spec.Tolerations = []node.Toleration{{Key: "spot"}}
	require.Equal(t, "a/x", placement.Select(request).Selected.String())
	request.Spec.Tolerations, request.Nodes = nil, request.Nodes[:1]
	require.Equal(t, "a/x", placement.Select(request).Selected.String())
}

func TestNoCapacityErrorNamesEachNode(t *testing.T) {
	t.Parallel()
	full := limited("x", func(n *node.Node) { n.Capacity.Games = 2 })
	checked := placement.Select(placement.Request{
		Region: "a", Nodes: []node.Node{full, nodes()[2]}, Load: placement.Load{ref("a", "x"): {Games: 2}},
		Excluded: map[node.Ref]string{ref("a", "y"): "is cordoned"},
	})
	err := &node.NoCapacityError{Region: "a", Nodes: checked.Nodes}
	require.ErrorIs(t, err, node.ErrNoCapacity)
	require.EqualError(t, err, "no node of region a fits: x has 2 of 2 games, y is cordoned")
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
