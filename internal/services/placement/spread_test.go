package placement_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/services/placement"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// zonedNodes are a/n1 to a/n5: three in zone 1, one in zone 2, and one without a zone.
func zonedNodes() []node.Node {
	var nodes []node.Node
	for i, zone := range []string{"1", "1", "1", "2", ""} {
		n := node.Node{Region: "a", Name: fmt.Sprintf("n%d", i+1), Engine: "fake"}
		if zone != "" {
			n.Labels = map[string]string{"zone": zone}
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// Games of a group are spread over the values of a label, and not over the nodes: half of them run on the only
// node of its zone.
func TestSpreadByALabel(t *testing.T) {
	t.Parallel()
	for name, group := range map[string]string{"by the label of the game": "app", "all games": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scheduler := placement.NewScheduler(placement.Dependencies{Records: memstore.New()})
			counts := map[string]int{}
			for i := range 12 {
				request := requestFor(fmt.Sprintf("g%d", i))
				request.Nodes, request.Labels = zonedNodes(), map[string]string{"app": "chess"}
				request.Spec = operation.Spec{SpreadBy: "zone", SpreadGroup: group}
				counts[mustSelect(t, scheduler, request).Selected.Name]++
			}
			require.Equal(t, map[string]int{"n1": 2, "n2": 2, "n3": 2, "n4": 6}, counts)
		})
	}
}

// Running games count by their labels. Those of other groups do not, and the explanation has the numbers.
func TestSpreadCountsTheGroupOnly(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	put := func(gameID, name, app string) {
		require.NoError(t, store.Upsert(t.Context(), runtime.RuntimeRecord{
			GameID: gameID, Status: runtime.StatusRunning, Region: "a", Node: name, CurrentContainerID: "c",
			Labels: map[string]string{"app": app}, CreatedAt: noon, LastOpAt: noon, StartedAt: &noon,
		}))
	}
	for i := range 3 {
		put(fmt.Sprintf("other-%d", i), "n4", "go")
	}
	put("chess-0", "n1", "chess")
	scheduler := placement.NewScheduler(placement.Dependencies{Records: store})
	request := requestFor("g")
	request.Nodes, request.Labels = zonedNodes(), map[string]string{"app": "chess"}
	request.Spec = operation.Spec{SpreadBy: "zone", SpreadGroup: "app"}
	explained, err := scheduler.Explain(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, "n4", explained.Selected.Name, "although it has the most games")
	require.Equal(t, "2", explained.Nodes[0].SpreadValue)
	require.Zero(t, explained.Nodes[0].SpreadGames)
	require.Equal(t, 1, explained.Nodes[1].SpreadGames)
	require.Equal(t, "n5", explained.Nodes[4].Node.Name, "a node without the label comes last")

	request.Spec.SpreadGroup = ""
	require.Equal(t, "n2", mustSelect(t, scheduler, request).Selected.Name, "zone 1 has one game, zone 2 has three")
}

// A game that waits for its restart after a crash, and one that an operation has stopped in between, keep their
// place. One that was stopped does not.
func TestGamesThatKeepTheirPlace(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	put := func(gameID string, condition runtime.Condition) {
		require.NoError(t, store.Upsert(t.Context(), runtime.RuntimeRecord{
			GameID: gameID, Status: runtime.StatusStopped, Region: "a", Node: "x", CurrentContainerID: "c",
			CreatedAt: noon, LastOpAt: noon, StartedAt: &noon, StoppedAt: &noon, Condition: condition,
		}))
	}
	put("crashed", runtime.Condition{DesiredStatus: runtime.StatusRunning, RestartPending: true})
	put("restarted", runtime.Condition{DesiredStatus: runtime.StatusRunning, Operation: &runtime.OperationInProgress{ID: "op", Kind: "restart", StartedAt: noon}})
	put("loop", runtime.Condition{DesiredStatus: runtime.StatusRunning, CrashLoop: true})
	put("stopped", runtime.Condition{DesiredStatus: runtime.StatusStopped})
	scheduler := placement.NewScheduler(placement.Dependencies{Records: store})
	load, err := scheduler.Usage(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, 2, load[ref("a", "x")].Games)
}

// The ports of the range of a node are capacity: reserved ones and those of running games count, by protocol.
func TestPortsAreCapacity(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	require.NoError(t, store.Upsert(t.Context(), runtime.RuntimeRecord{
		GameID: "running", Status: runtime.StatusRunning, Region: "a", Node: "n", CurrentContainerID: "c",
		CreatedAt: noon, LastOpAt: noon, StartedAt: &noon, Ports: []runtime.Port{
			{Name: "play", Protocol: runtime.ProtocolUDP, ContainerPort: 1, Host: "h", Port: 20000},
			{Name: "fixed", Protocol: runtime.ProtocolUDP, ContainerPort: 2, Host: "h", Port: 7777}, // not of the range
		},
	}))
	scheduler := placement.NewScheduler(placement.Dependencies{Records: store})
	request := func(gameID string, protocol runtime.Protocol) placement.Request {
		r := requestFor(gameID)
		r.Nodes = []node.Node{{Region: "a", Name: "n", Engine: "fake", GamePorts: "20000-20001", Capacity: node.Capacity{Ports: 2}}}
		r.Spec = operation.Spec{Ports: []operation.PortSpec{{Name: "play", Protocol: protocol}}}
		return r
	}
	mustSelect(t, scheduler, request("second", runtime.ProtocolUDP))
	full, err := scheduler.Select(t.Context(), request("third", runtime.ProtocolUDP))
	require.NoError(t, err)
	require.Zero(t, full.Selected)
	require.Equal(t, "has 2 of 2 udp ports in use and the game requests 1", full.Nodes[0].Reason)
	mustSelect(t, scheduler, request("tcp", runtime.ProtocolTCP))
	fixed := request("fixed", runtime.ProtocolUDP)
	fixed.Spec.Ports[0].Port = 9000
	mustSelect(t, scheduler, fixed)
}
