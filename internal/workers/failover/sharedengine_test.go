package failover_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/fakeengine"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// exclusiveEngine fails the test if a container starts while another one runs.
type exclusiveEngine struct {
	ports.Engine
	t       *testing.T
	machine *fakeengine.Machine
}

func (e exclusiveEngine) Start(ctx context.Context, containerID string) error {
	for _, c := range e.machine.All() {
		assert.False(e.t, c.ID != containerID && c.State == container.StateRunning, "%s starts while %s runs", containerID, c.ID)
	}
	return e.Engine.Start(ctx, containerID)
}

// Two nodes use one engine, and one of them is lost while its game runs, perhaps during a
// patch. The game is assigned to the other node by the leader, or by an operator. It does not
// run twice.
func TestGameRunsOnceOnASharedEngine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy    operation.NodeLostPolicy
		isPatched bool
	}{
		"rescheduled":                {operation.NodeLostReschedule, false},
		"abandoned":                  {operation.NodeLostKeep, false},
		"rescheduled during a patch": {operation.NodeLostReschedule, true},
		"abandoned during a patch":   {operation.NodeLostKeep, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := c.policy
			machine := fakeengine.New("game:1")
			cfg := nodetest.Config{Prefix: etcdtest.Prefix(t), LeaseTTL: longTTL, NodeLostGrace: time.Nanosecond, MinUptime: time.Millisecond, Region: "eu"}
			newNode := func(name string) *nodetest.Node {
				cfg.Name = name
				cfg.NewEngine = func(store string) ports.Engine {
					return exclusiveEngine{machine.Engine(fakeengine.Owner{Store: store, Region: "eu", Node: name}), t, machine}
				}
				return nodetest.New(t, cfg)
			}
			lost, other := newNode("n1"), newNode("n2")
			spec := operation.Spec{Image: "game:1", HealthPath: operation.NoHealthCheck, OnNodeLost: policy}
			lost.MustExecute(nodetest.StartOp("g", spec))
			before := lost.Record("g")
			if c.isPatched {
				createNext(t, lost, machine.All()[0])
			}
			fence := becomeLeader(t, other)
			lost.Crash()
			expireSession(t, lost)

			if policy == operation.NodeLostReschedule {
				for range 2 {
					require.NoError(t, other.Failover.Pass(t.Context(), fence))
				}
				_, err := other.Service.Resume(t.Context(), "g")
				require.NoError(t, err)
			} else {
				require.NoError(t, other.Store.UpdateStatus(t.Context(), ports.UpdateStatusInput{
					GameID: "g", ExpectedFrom: runtime.StatusRunning, ExpectedContainerID: before.CurrentContainerID, To: runtime.StatusRemoved, Now: time.Now(),
				}))
				other.MustExecute(nodetest.Op(operation.KindStart, "g"))
			}
			after := other.Record("g")
			require.Equal(t, "n2", after.Node)
			all := machine.All()
			require.Len(t, all, 1, "the former container is removed")
			require.Equal(t, after.CurrentContainerID, all[0].ID)
			require.Equal(t, container.StateRunning, all[0].State)
		})
	}
}

// createNext creates the container of the game's next generation, as a patch does before it
// stops the current one.
func createNext(t *testing.T, n *nodetest.Node, current container.Container) {
	t.Helper()
	spec := container.Spec{Name: strings.TrimSuffix(current.Name, "-g1") + "-g2", Labels: current.Labels}
	spec.Labels.Generation, spec.Labels.OperationID = 2, "patch"
	_, err := n.Engine.Create(t.Context(), spec)
	require.NoError(t, err)
}
