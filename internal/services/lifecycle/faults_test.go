package lifecycle_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// faultCase is a fault, and whether it changes the record as another writer.
type faultCase struct {
	name      string
	inject    fault
	isForeign bool
}

func crashAfter() faultCase {
	return faultCase{"the daemon crashes after it", func(d *faultDaemon, call func(), unavailable error) error {
		call()
		d.crash()
		return unavailable
	}, false}
}

func responseLost() faultCase {
	return faultCase{"its response is lost", func(_ *faultDaemon, call func(), unavailable error) error {
		call()
		return unavailable
	}, false}
}

func sessionLostAfter() faultCase {
	return faultCase{"the session is lost after it", func(d *faultDaemon, call func(), _ error) error {
		call()
		d.loseSession()
		return nil
	}, false}
}

// daemonFaults are faults of the daemon and of its calls.
func daemonFaults() []faultCase {
	return []faultCase{
		crashAfter(), responseLost(), sessionLostAfter(),
		{"its request is lost", func(_ *faultDaemon, _ func(), unavailable error) error { return unavailable }, false},
		{"an outage follows it", func(d *faultDaemon, call func(), unavailable error) error {
			call()
			d.setDown(true)
			time.AfterFunc(12*time.Second, func() { d.setDown(false) }) // longer than RetryTimeout
			return unavailable
		}, false},
		{"the session is lost before it", func(d *faultDaemon, call func(), _ error) error {
			d.loseSession()
			call()
			return nil
		}, false},
	}
}

// foreignWrites are writes of an operator right before a call.
func foreignWrites() []faultCase {
	rewrite := func(name string, change func(*runtime.RuntimeRecord)) faultCase {
		return faultCase{name, func(d *faultDaemon, call func(), _ error) error {
			d.node.rewrite(change)
			call()
			return nil
		}, true}
	}
	return []faultCase{
		rewrite("the record is set to stopped", func(r *runtime.RuntimeRecord) {
			if at := time.Now().UTC(); r.Status == runtime.StatusRunning {
				r.Status, r.StoppedAt = runtime.StatusStopped, &at
			}
		}),
		rewrite("the record is set to removed", func(r *runtime.RuntimeRecord) {
			at := time.Now().UTC()
			r.Status, r.RemovedAt, r.CurrentContainerID = runtime.StatusRemoved, &at, ""
		}),
		rewrite("the record gets another revision", func(r *runtime.RuntimeRecord) { r.StatePath = "/other" }),
		rewrite("the record names another container", func(r *runtime.RuntimeRecord) {
			if r.Status != runtime.StatusRemoved {
				r.CurrentContainerID = "other"
			}
		}),
	}
}

// fakeScenarios are the scenarios of the fake engine.
func fakeScenarios() []scenario {
	start := func(image string) ports.OperationRequest {
		return ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: &operation.Spec{
			Image: image, HealthPath: operation.NoHealthCheck, StopGrace: operation.Duration(time.Second),
		}}
	}
	op := func(kind operation.Kind) ports.OperationRequest {
		return ports.OperationRequest{GameID: "g", Kind: kind}
	}
	patch := func(image string) ports.OperationRequest {
		return ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: image, Force: true}
	}
	running := []ports.OperationRequest{start("game:1.0.0")}
	stopped := []ports.OperationRequest{start("game:1.0.0"), op(operation.KindStop)}
	removed := []ports.OperationRequest{start("game:1.0.0"), op(operation.KindStop), op(operation.KindCleanup)}
	return []scenario{
		{"start", nil, start("game:1.0.0"), "running game:1.0.0", "", false},
		{"start that fails", nil, start("broken:1.0.1"), "removed broken:1.0.1", "", true},
		{"start of a stopped game", stopped, op(operation.KindStart), "running game:1.0.0", "stopped game:1.0.0", false},
		{"start with another image", stopped, start("game:2.0.0"), "running game:2.0.0", "stopped game:1.0.0", false},
		{"start of a removed game", removed, op(operation.KindStart), "running game:1.0.0", "removed game:1.0.0", false},
		{"stop", running, op(operation.KindStop), "stopped game:1.0.0", "running game:1.0.0", false},
		{"restart", running, op(operation.KindRestart), "running game:1.0.0", "running game:1.0.0", false},
		{"patch", running, patch("game:1.0.1"), "running game:1.0.1", "running game:1.0.0", false},
		{"patch while stopped", stopped, patch("game:1.0.1"), "stopped game:1.0.1", "stopped game:1.0.0", false},
		{"patch that fails", running, patch("broken:1.0.1"), "running game:1.0.0", "running game:1.0.0", true},
		{"cleanup", stopped, op(operation.KindCleanup), "removed game:1.0.0", "stopped game:1.0.0", false},
	}
}

// One fault hits each call in turn that an operation makes of store and engine. The
// node's next daemon then makes record, intent and engine consistent.
func TestOperationsSurviveOneFault(t *testing.T) {
	t.Parallel()
	for _, s := range fakeScenarios() {
		for _, f := range append(daemonFaults(), foreignWrites()...) {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				for at, isHit := 1, true; isHit; at++ {
					synctest.Test(t, func(t *testing.T) { isHit = runWithFault(t, s, f, at) })
				}
			})
		}
	}
}

// The same for an operation that the next daemon resumes, from every point at which the
// first one can crash.
func TestResumedOperationsSurviveOneFault(t *testing.T) {
	if testing.Short() {
		t.Skip("runs thousands of operations")
	}
	t.Parallel()
	for _, s := range fakeScenarios() {
		for _, f := range []faultCase{crashAfter(), responseLost(), sessionLostAfter()} {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				for crashAt, hasCrashed := 1, true; hasCrashed; crashAt++ {
					for at, isHit := 1, true; isHit; at++ {
						synctest.Test(t, func(t *testing.T) { hasCrashed, isHit = resumeWithFault(t, s, f, crashAt, at) })
					}
				}
			})
		}
	}
}

// executeWithFault runs the scenario on a new node, with a fault in a call of its
// operation.
func executeWithFault(t *testing.T, s scenario, f faultCase, at int) (*faultDaemon, error) {
	t.Helper()
	d := newFaultNode().newDaemon(t)
	for _, request := range s.setup {
		_, err := d.service.Execute(t.Context(), request, nil)
		require.NoError(t, err)
	}
	d.injectAt(f.inject, at)
	s.operation.Origin.OperationID = "the-operation"
	_, err := d.service.Execute(t.Context(), s.operation, nil)
	require.NoError(t, d.service.Close())
	return d, err
}

// runWithFault returns false if the operation makes fewer calls.
func runWithFault(t *testing.T, s scenario, f faultCase, at int) (isHit bool) {
	t.Helper()
	d, err := executeWithFault(t, s, f, at)
	text := fmt.Sprintf("call %d, %s; the operation returned %v", at, d.faulty, err)
	_, isKnown := requireRepaired(t, d.node, s, f, text)
	require.True(t, isKnown || err != nil, text)
	return d.faulty != ""
}

// resumeWithFault returns hasCrashed false if the operation makes fewer calls, and isHit
// false if the resumed operation does.
func resumeWithFault(t *testing.T, s scenario, f faultCase, crashAt, at int) (hasCrashed, isHit bool) {
	t.Helper()
	first, _ := executeWithFault(t, s, crashAfter(), crashAt)
	second := first.node.newDaemon(t)
	second.injectAt(f.inject, at)
	_, err := second.service.Resume(t.Context(), "g")
	require.NoError(t, second.service.Close())
	requireRepaired(t, first.node, s, f, fmt.Sprintf("crash after call %d, %s; then call %d, %s: %v", crashAt, first.faulty, at, second.faulty, err))
	return first.faulty != "", second.faulty != ""
}

// requireRepaired runs the reconcile worker of the next daemon, and checks the game. It
// returns the outcome of the operation, and false if the operation was never accepted.
func requireRepaired(t *testing.T, n *faultNode, s scenario, f faultCase, text string) (operation.Outcome, bool) {
	t.Helper()
	reconcileForAWhile(t, n)
	require.Empty(t, n.violations, text)
	stored, err := n.store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Nil(t, stored.Intent.Current, text)

	summary, want := "", map[string]container.State{}
	if found, err := n.store.Get(t.Context(), "g"); err == nil {
		require.NoError(t, found.Validate(), text)
		summary = string(found.Status) + " " + found.CurrentImageRef
		switch found.Status {
		case runtime.StatusRunning:
			want[found.CurrentContainerID] = container.StateRunning
		case runtime.StatusStopped:
			want[found.CurrentContainerID] = container.StateExited
		case runtime.StatusRemoved:
		}
	}
	have := map[string]container.State{}
	for _, c := range n.machine.All() {
		have[c.ID] = c.State
		if c.State == container.StateCreated {
			have[c.ID] = container.StateExited // the new container of a patch while stopped was never started
		}
	}
	require.Equal(t, want, have, "only the record's container exists; "+text)

	outcome, isKnown := stored.Intent.OutcomeOf("the-operation")
	switch {
	case f.isForeign:
	case isKnown && outcome.Failure == nil:
		require.Equal(t, s.after, summary, text)
	case s.fails && s.before == "":
		// A container that the rollback could not remove is adopted: the game has no record.
		require.Contains(t, []string{s.before, s.after, "stopped broken:1.0.1"}, summary, text)
	default:
		require.Contains(t, []string{s.before, s.after}, summary, text)
	}
	return outcome, isKnown
}

// reconcileForAWhile runs the reconcile worker of a new daemon for two minutes. An
// operator releases its brake.
func reconcileForAWhile(t *testing.T, n *faultNode) {
	t.Helper()
	d := n.newDaemon(t)
	worker, err := reconcile.New(reconcile.Dependencies{
		Records: d, Intents: d, Engine: n.engine, Remediator: d.service, Queue: reconcile.NewQueue(nil),
	}, reconcile.Config{Region: "eu", Node: "n1"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()
	for range 6 {
		time.Sleep(20 * time.Second) // of the fake clock: no real time passes
		if worker.Brake() != nil {
			require.NoError(t, worker.ReleaseBrake())
		}
	}
	cancel()
	require.NoError(t, <-done)
	require.NoError(t, d.service.Close())
}

// A stop preempts an operation whose daemon crashed at any point, and one fault hits the
// preemption. The next daemon then completes both.
func TestPreemptionSurvivesOneFault(t *testing.T) {
	if testing.Short() {
		t.Skip("runs thousands of operations")
	}
	t.Parallel()
	for _, s := range fakeScenarios() {
		if s.operation.Kind == operation.KindStop || s.operation.Kind == operation.KindCleanup {
			continue
		}
		for _, f := range []faultCase{crashAfter(), responseLost(), sessionLostAfter()} {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				for crashAt, hasCrashed := 1, true; hasCrashed; crashAt++ {
					for at, isHit := 1, true; isHit; at++ {
						synctest.Test(t, func(t *testing.T) { hasCrashed, isHit = preemptWithFault(t, s, f, crashAt, at) })
					}
				}
			})
		}
	}
}

// preemptWithFault returns hasCrashed false if the operation makes fewer calls, and isHit
// false if the stop does.
func preemptWithFault(t *testing.T, s scenario, f faultCase, crashAt, at int) (hasCrashed, isHit bool) {
	t.Helper()
	first, _ := executeWithFault(t, s, crashAfter(), crashAt)
	second := first.node.newDaemon(t)
	second.injectAt(f.inject, at)
	stop := ports.OperationRequest{GameID: "g", Kind: operation.KindStop, Origin: ports.Origin{OperationID: "the-stop"}}
	_, err := second.service.Execute(t.Context(), stop, nil)
	require.NoError(t, second.service.Close())
	text := fmt.Sprintf("crash after call %d, %s; then call %d, %s: %v", crashAt, first.faulty, at, second.faulty, err)
	f.isForeign = true // the status depends on whether the operation was accepted
	requireRepaired(t, first.node, s, f, text)
	stored, errGet := first.node.store.GetIntent(t.Context(), "g")
	require.NoError(t, errGet)
	if outcome, isKnown := stored.Intent.OutcomeOf("the-stop"); isKnown && outcome.Failure == nil {
		for _, c := range first.node.machine.All() {
			require.NotEqual(t, container.StateRunning, c.State, text)
		}
	}
	return first.faulty != "", second.faulty != ""
}

// The container may belong to the next daemon of the node after the session has ended.
func TestStaleContainerIsNotRemovedAfterTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFaultNode().newDaemon(t)
		running := fakeScenarios()[0].operation
		_, err := d.service.Execute(t.Context(), running, nil)
		require.NoError(t, err)
		stale, err := d.node.engine.Create(t.Context(), container.Spec{Name: "stale", Labels: container.Labels{
			Store: "store", Region: "eu", Node: "n1", GameID: "g", Image: "game:1.0.0", Generation: 7, OperationID: "op",
		}})
		require.NoError(t, err)
		record, err := d.node.store.GetVersioned(t.Context(), "g")
		require.NoError(t, err)
		intent, err := d.node.store.GetIntent(t.Context(), "g")
		require.NoError(t, err)
		finding := drift.Finding{
			Kind: drift.KindStale, Action: drift.ActionRemoveContainer, GameID: "g", ContainerID: stale.ID,
			RecordRevision: record.Revision, IntentRevision: intent.Revision,
		}

		const stop = 3 // after Inspect and GetIntentAndRecord
		d.injectAt(sessionLostAfter().inject, stop)
		require.ErrorIs(t, d.service.Remediate(t.Context(), finding, ""), node.ErrUnreachable)
		require.Equal(t, "Stop", d.faulty)
		require.Len(t, d.node.machine.All(), 2)

		require.NoError(t, d.service.Remediate(t.Context(), finding, ""))
		require.Len(t, d.node.machine.All(), 1)
		require.NoError(t, d.service.Close())
	})
}
