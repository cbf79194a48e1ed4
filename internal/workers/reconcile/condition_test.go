package reconcile_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/fakeengine"
	"galaxy/rtmanager/internal/testkit/faultkv"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// requireEventually waits until the game's record satisfies the condition, and returns it.
func requireEventually(t *testing.T, n *nodetest.Node, gameID, text string, isDone func(r runtime.RuntimeRecord) bool) runtime.RuntimeRecord {
	t.Helper()
	var record runtime.RuntimeRecord
	require.Eventually(t, func() bool {
		record = n.Record(gameID)
		return isDone(record)
	}, nodetest.Timeout, 10*time.Millisecond, text)
	return record
}

// After each operation the reconcile worker writes the condition at most once: a start, a
// restart and a patch leave a health, a stop and a cleanup write their condition themselves.
func TestConditionWritesPerOperation(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	kv := faultkv.Wrap(client)
	machine := fakeengine.New(images...)
	n := nodetest.New(t, nodetest.Config{
		Client: client, MinUptime: time.Millisecond,
		NewEngine: func(store string) ports.Engine {
			return machine.Engine(fakeengine.Owner{Store: store, Region: "eu", Node: "n1"})
		},
	})
	for _, step := range []struct {
		kind    operation.Kind
		writes  int
		desired runtime.Status
		health  runtime.Health
	}{
		{operation.KindStart, 1, runtime.StatusRunning, runtime.HealthNone},
		{operation.KindStop, 0, runtime.StatusStopped, ""},
		{operation.KindStart, 1, runtime.StatusRunning, runtime.HealthNone},
		{operation.KindRestart, 1, runtime.StatusRunning, runtime.HealthNone},
		{operation.KindStop, 0, runtime.StatusStopped, ""},
		{operation.KindCleanup, 0, runtime.StatusRemoved, ""},
	} {
		request := ports.OperationRequest{GameID: "g", Kind: step.kind}
		if step.kind == operation.KindStart {
			request.Spec = spec(images[0], 0)
		}
		outcome := n.MustExecute(request)
		before := kv.Counts().WriteTxns
		require.NoError(t, n.Reconcile.PassAndHandle(t.Context()))
		require.Equal(t, step.writes, kv.Counts().WriteTxns-before, "writes of the condition after %s", step.kind)
		record := n.Record("g")
		require.Nil(t, record.Operation)
		require.Equal(t, step.desired, record.DesiredStatus)
		require.Equal(t, step.health, record.Health)
		require.Equal(t, step.desired == runtime.StatusRunning, record.Ready)
		require.Equal(t, record.Condition, outcome.Record.Condition, "the outcome has the condition that the operation leaves")
		if !record.Ready {
			require.Empty(t, record.EngineEndpoint)
			require.Empty(t, record.Ports)
		}
		before = kv.Counts().WriteTxns
		require.NoError(t, n.Reconcile.PassAndHandle(t.Context()))
		require.Equal(t, before, kv.Counts().WriteTxns, "a condition that has not changed is not written")
	}
	history, err := n.Store.History(t.Context(), "g")
	require.NoError(t, err)
	require.Len(t, history, 7, "the condition takes no place in the history")
	report, err := n.Store.Check(t.Context(), false)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
}

// A game that hangs becomes unhealthy in its record, and healthy when it continues. A watch
// that selects by status receives both changes.
func TestHangingGameIsUnhealthyInItsRecord(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	game := nodetest.GameSpec("1.0.0")
	game.Crash.Attempts = 0 // otherwise it is restarted
	started := n.MustExecute(nodetest.StartOp("g", game))
	n.Run()
	ready := requireEventually(t, n, "g", "the end of the start is written", func(r runtime.RuntimeRecord) bool { return r.Operation == nil })
	require.True(t, ready.Ready)
	require.Equal(t, started.Record.Condition, ready.Condition)

	pid := nodetest.GamePID(t, ready.EngineEndpoint)
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	unhealthy := requireEventually(t, n, "g", "the game is unhealthy", func(r runtime.RuntimeRecord) bool { return r.Health == runtime.HealthUnhealthy })
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	require.Equal(t, runtime.StatusRunning, unhealthy.Status)
	require.False(t, unhealthy.Ready)
	require.True(t, unhealthy.HealthSince.After(*ready.HealthSince))
	healthy := requireEventually(t, n, "g", "the game is healthy", func(r runtime.RuntimeRecord) bool { return r.Health == runtime.HealthHealthy })
	require.True(t, healthy.Ready)
	require.True(t, ready.EqualExceptCondition(healthy))
}

// A game that is killed repeatedly uses up its restarts and is in a crash loop then.
func TestCrashLoopIsInTheRecord(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	game := nodetest.GameSpec("1.0.0")
	game.Crash = operation.CrashPolicy{Attempts: 1, Window: operation.Duration(time.Hour), Delay: operation.Duration(time.Millisecond)}
	n.MustExecute(nodetest.StartOp("g", game))
	n.Run()
	for restarts := range int64(2) {
		record := requireEventually(t, n, "g", "the game is ready", func(r runtime.RuntimeRecord) bool {
			return r.Ready && r.Operation == nil && r.Restarts == restarts
		})
		require.NoError(t, syscall.Kill(nodetest.GamePID(t, record.EngineEndpoint), syscall.SIGKILL))
	}
	record := requireEventually(t, n, "g", "the crash loop is stated", func(r runtime.RuntimeRecord) bool { return r.CrashLoop })
	require.Equal(t, runtime.StatusStopped, record.Status)
	require.Equal(t, runtime.StatusRunning, record.DesiredStatus)
	require.Equal(t, int64(1), record.Restarts)
	require.Empty(t, record.EngineEndpoint)
	n.MustExecute(nodetest.Op(operation.KindStart, "g"))
	requireEventually(t, n, "g", "a start ends the crash loop", func(r runtime.RuntimeRecord) bool {
		return r.Ready && !r.CrashLoop && r.Restarts == 0
	})
}

// The record names an operation that takes long, also before the operation has written it.
func TestRecordNamesTheOperationInProgress(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	engine := &hangingEngine{release: release}
	n := nodetest.New(t, nodetest.Config{WrapEngine: func(base ports.Engine) ports.Engine { engine.Engine = base; return engine }})
	started := n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	n.Run()
	requireEventually(t, n, "g", "the end of the start is written", func(r runtime.RuntimeRecord) bool { return r.Operation == nil })
	engine.containers.Store(started.Record.CurrentContainerID, true)
	done := make(chan error, 1)
	go func() {
		_, err := n.Service.Execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStop, Origin: ports.Origin{OperationID: "the-stop"}}, nil)
		done <- err
	}()
	record := requireEventually(t, n, "g", "the stop is named", func(r runtime.RuntimeRecord) bool { return r.Operation != nil })
	require.Equal(t, "the-stop", record.Operation.ID)
	require.Equal(t, string(operation.KindStop), record.Operation.Kind)
	require.Equal(t, runtime.StatusRunning, record.Status)
	close(release)
	require.NoError(t, <-done)
	requireEventually(t, n, "g", "the stop has ended", func(r runtime.RuntimeRecord) bool {
		return r.Operation == nil && r.Status == runtime.StatusStopped && r.DesiredStatus == runtime.StatusStopped
	})
}
