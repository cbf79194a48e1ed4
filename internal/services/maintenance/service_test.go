package maintenance_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/maintenance"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

func TestMain(m *testing.M) { os.Exit(nodetest.Main(m)) }

var (
	ada = ports.Origin{Actor: "ada", Reason: "kernel update"}
	n1  = node.Ref{Region: "eu", Name: "n1"}
)

// fixture is a node with the service of its daemon, which follows the settings.
type fixture struct {
	*maintenance.Service
	node *nodetest.Node
}

// newFixture returns a fixture. Its service knows no settings before run.
func newFixture(t *testing.T, cfg nodetest.Config) *fixture {
	t.Helper()
	n := nodetest.New(t, cfg)
	return &fixture{node: n, Service: maintenance.New(maintenance.Dependencies{
		Settings: n.Registry, Nodes: n.Registry, Records: n.Store, Intents: n.Store,
	}, maintenance.Config{})}
}

// run follows the settings until the test ends.
func (f *fixture) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-done) })
	f.await(t, func(node.Maintenance) bool { return true })
}

// await waits until the settings in memory meet the condition.
func (f *fixture) await(t *testing.T, isMet func(node.Maintenance) bool) {
	t.Helper()
	timeout := time.After(nodetest.Timeout)
	for {
		changed := f.Changed()
		if current, isKnown := f.Current(); isKnown && isMet(current) {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatal("the settings do not arrive")
		}
	}
}

// Changes are stored with actor and reason, reach the services of all daemons, and survive a daemon.
func TestSettingsReachAllDaemons(t *testing.T) {
	t.Parallel()
	first := newFixture(t, nodetest.Config{})
	require.Equal(t, "the settings of the nodes have not been read yet", first.PauseOf(n1))
	first.run(t)
	require.Empty(t, first.PauseOf(n1))
	second := newFixture(t, nodetest.Config{Prefix: first.node.Config.Prefix, Region: "us", Name: "u1"})
	second.run(t)

	settings, err := first.Cordon(t.Context(), n1, ada)
	require.NoError(t, err)
	require.Equal(t, "kernel update, by ada", settings.Cordoned.String())
	repeated, err := second.Cordon(t.Context(), n1, ada)
	require.NoError(t, err)
	require.Equal(t, settings.Cordoned.At, repeated.Cordoned.At, "a repeated request changes nothing")
	_, err = first.Pause(t.Context(), n1, ada)
	require.NoError(t, err)
	second.await(t, func(m node.Maintenance) bool { return m.Nodes[n1].Paused != nil && m.Nodes[n1].Cordoned != nil })
	require.Contains(t, second.PauseOf(n1), "kernel update, by ada")
	require.Empty(t, second.PauseOf(node.Ref{Region: "us", Name: "u1"}))

	_, err = second.PauseRegion(t.Context(), "us", ada)
	require.NoError(t, err)
	first.await(t, func(m node.Maintenance) bool { return m.PauseText(node.Ref{Region: "us", Name: "u1"}) != "" })
	_, err = second.Resume(t.Context(), n1, ada)
	require.NoError(t, err)
	_, err = first.ResumeRegion(t.Context(), "us", ada)
	require.NoError(t, err)
	_, err = first.Uncordon(t.Context(), n1, ada)
	require.NoError(t, err)
	first.await(t, func(m node.Maintenance) bool {
		return m.Nodes[n1].IsZero() && m.PauseText(node.Ref{Region: "us", Name: "u1"}) == ""
	})
}

// A change with an invalid origin is rejected.
func TestInvalidOrigins(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nodetest.Config{})
	invalid := ports.Origin{Reason: strings.Repeat("x", 1<<16)}
	_, err := f.Cordon(t.Context(), n1, invalid)
	require.ErrorIs(t, err, runtime.ErrInvalid)
	_, err = f.PauseRegion(t.Context(), "eu", invalid)
	require.ErrorIs(t, err, runtime.ErrInvalid)
}

func TestStartDrain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nodetest.Config{})
	for _, timeout := range []time.Duration{0, time.Millisecond, maintenance.MaxDrainTimeout + 1} {
		_, err := f.StartDrain(t.Context(), n1, node.DrainOptions{Timeout: timeout}, ada)
		require.ErrorIs(t, err, runtime.ErrInvalid)
	}
	settings, err := f.StartDrain(t.Context(), n1, node.DrainOptions{Timeout: time.Minute, StopOnly: true}, ada)
	require.NoError(t, err)
	require.NotNil(t, settings.Cordoned, "a drained node gets no new games")
	require.True(t, settings.Drain.IsActive())
	require.Equal(t, int64(60_000), settings.Drain.TimeoutMS)
	next, err := f.StartDrain(t.Context(), n1, node.DrainOptions{Timeout: time.Hour}, ada)
	require.NoError(t, err)
	require.NotEqual(t, settings.Drain.ID, next.Drain.ID, "it replaces the drain in progress")
	require.False(t, next.Drain.StopOnly)
	canceled, err := f.Uncordon(t.Context(), n1, ada)
	require.NoError(t, err)
	require.True(t, canceled.IsZero())

	absent := nodetest.New(t, nodetest.Config{Prefix: f.node.Config.Prefix, Region: "eu", Name: "gone"})
	require.NoError(t, absent.Member.Close())
	_, err = f.StartDrain(t.Context(), node.Ref{Region: "eu", Name: "gone"}, node.DrainOptions{Timeout: time.Minute}, ada)
	require.ErrorIs(t, err, operation.ErrRejected)
	require.ErrorContains(t, err, "start the daemon, or cordon the node")
	bare := nodetest.New(t, nodetest.Config{Prefix: f.node.Config.Prefix, Region: "eu", Name: "bare", WrapEngine: func(e ports.Engine) ports.Engine {
		return kindlessEngine{e}
	}})
	_, err = f.StartDrain(t.Context(), node.Ref{Region: "eu", Name: bare.Config.Name}, node.DrainOptions{Timeout: time.Minute}, ada)
	require.ErrorContains(t, err, "runs no games")
}

// kindlessEngine makes its node one without an engine, as the others see it.
type kindlessEngine struct{ ports.Engine }

func (kindlessEngine) Kind() container.EngineKind { return "" }

// The plan has the action for each running game of the node, by its policy and the options.
func TestPlanDrain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nodetest.Config{Prefix: etcdtest.Prefix(t), MinUptime: time.Millisecond})
	plan, err := f.PlanDrain(t.Context(), n1, node.DrainOptions{})
	require.NoError(t, err)
	require.Empty(t, plan)
	for gameID, policy := range map[string]operation.NodeLostPolicy{"moves": operation.NodeLostReschedule, "stays": operation.NodeLostKeep, "default": ""} {
		spec := nodetest.GameSpec("1.0.0")
		spec.OnNodeLost = policy
		f.node.MustExecute(nodetest.StartOp(gameID, spec))
	}
	f.node.MustExecute(nodetest.StartOp("stopped", nodetest.GameSpec("1.0.0")))
	f.node.MustExecute(nodetest.Op(operation.KindStop, "stopped"))
	for name, row := range map[string]struct {
		options node.DrainOptions
		want    []node.DrainAction // of default, moves, stays
	}{
		"by policy": {node.DrainOptions{}, []node.DrainAction{node.DrainWait, node.DrainMove, node.DrainWait}},
		"forced":    {node.DrainOptions{Force: true}, []node.DrainAction{node.DrainMove, node.DrainMove, node.DrainMove}},
		"stop only": {node.DrainOptions{StopOnly: true}, []node.DrainAction{node.DrainStop, node.DrainStop, node.DrainStop}},
	} {
		steps, err := f.PlanDrain(t.Context(), n1, row.options)
		require.NoError(t, err)
		require.Equal(t, []node.DrainStep{
			{GameID: "default", Action: row.want[0]}, {GameID: "moves", Action: row.want[1]}, {GameID: "stays", Action: row.want[2]},
		}, steps, name)
	}
}
