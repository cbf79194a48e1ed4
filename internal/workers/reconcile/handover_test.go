package reconcile_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// TestHandedOverMoveWaitsForNoStart hands the rollback of a move back to the node of the game while a start that
// hangs occupies the only start worker. The game is down until the node continues the move.
func TestHandedOverMoveWaitsForNoStart(t *testing.T) {
	t.Parallel()
	engine := &hangingEngine{release: make(chan struct{})}
	n := nodetest.New(t, nodetest.Config{
		WrapEngine: func(base ports.Engine) ports.Engine { engine.Engine = base; return engine },
		Reconcile:  reconcile.Config{Interval: time.Hour, Starters: 1, StartWait: time.Hour, MaxBackgroundStarts: 1},
	})
	crashing := nodetest.GameSpec("1.0.0")
	crashing.Crash = operation.CrashPolicy{Attempts: 1, Delay: operation.Duration(time.Millisecond)}
	n.MustExecute(nodetest.StartOp("slow", crashing))
	n.MustExecute(nodetest.StartOp("moved", nodetest.GameSpec("1.0.0")))
	before := n.Record("moved")
	engine.containers.Store(n.Record("slow").CurrentContainerID, true)
	n.Run()
	t.Cleanup(func() { close(engine.release) }) // before the workers end
	kill(t, n.Record("slow").EngineEndpoint)
	n.Queue.Enqueue("slow")
	require.Eventually(t, func() bool { return engine.hanging.Load() > 0 }, nodetest.Timeout, 10*time.Millisecond, "the start hangs")

	require.Eventually(t, func() bool { // the node may write the condition of the game in between
		stored, err := n.Store.GetIntent(t.Context(), "moved")
		if err != nil {
			return false
		}
		next := stored.Intent.Clone()
		next.Current = &operation.Operation{
			ID: operation.NewID(), Kind: operation.KindMove, Region: before.Region, Node: before.Node,
			Target:    &node.Ref{Region: before.Region, Name: "other"},
			StartedAt: time.Now(), StepAt: time.Now(), Deadline: time.Now().Add(time.Hour), Step: operation.StepRollingBack, SourceStopping: true,
			Failure: &operation.Failure{Code: operation.FailureNodeLost, Message: "the target is absent"},
			Spec:    stored.Intent.Spec, Generation: before.Generation + 1, PreviousRecord: &before,
		}
		_, err = n.Store.PutIntent(t.Context(), next, stored.IntentVersion)
		return err == nil
	}, nodetest.Timeout, 10*time.Millisecond)
	n.Queue.Enqueue("moved")
	require.Eventually(t, func() bool {
		stored, err := n.Store.GetIntent(t.Context(), "moved")
		return err == nil && stored.Intent.Current == nil
	}, nodetest.Timeout, 10*time.Millisecond, "the move is rolled back")
	require.Equal(t, runtime.StatusRunning, n.Record("moved").Status)
	require.True(t, n.Service.HasActive("slow"))
}
