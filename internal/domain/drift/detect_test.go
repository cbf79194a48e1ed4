package drift_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func recordOf(status runtime.Status, containerID string) *runtime.RuntimeRecord {
	return &runtime.RuntimeRecord{
		GameID: "g", Status: status, Region: "eu", Node: "n1", CurrentContainerID: containerID, CurrentImageRef: "a:1", Generation: 2,
	}
}

func newContainer(id string, state container.State) container.Container {
	return container.Container{ID: id, State: state, Labels: container.Labels{GameID: "g", Image: "a:1", Generation: 2}}
}

func intentFor(status runtime.Status, attempts int, restarts ...time.Time) operation.Intent {
	return operation.Intent{
		DesiredStatus: status, Restarts: restarts,
		Spec: operation.Spec{Image: "a:1", Crash: operation.CrashPolicy{Attempts: attempts, Window: operation.Duration(time.Minute)}},
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	onOtherNode := recordOf(runtime.StatusRunning, "c2")
	onOtherNode.Node = "n2"
	wrongNode := recordOf(runtime.StatusRunning, "c1")
	wrongNode.Node = ""
	otherImage := newContainer("c1", container.StateRunning)
	otherImage.Labels.Image = "a:2"
	interrupted := &operation.Operation{ID: "op", Kind: operation.KindPatch, Region: "eu", Node: "n1", Step: operation.StepStopping}
	removedOnN2 := recordOf(runtime.StatusRemoved, "")
	removedOnN2.Node = "n2"
	exited, paused := newContainer("c1", container.StateExited), newContainer("c1", container.StateRunning)
	restartedAt := now().Add(-time.Minute)
	exited.EngineRestartedAt, paused.Paused = &restartedAt, true
	onFailure := intentFor(runtime.StatusRunning, 3)
	onFailure.Spec.Crash.Condition = operation.CrashOnFailure
	exitedWith := func(code int) container.Container {
		c := newContainer("c1", container.StateExited)
		c.ExitCode = &code
		return c
	}
	noHealthCheck := intentFor(runtime.StatusRunning, 0)
	noHealthCheck.Spec.HealthPath = operation.NoHealthCheck
	failedStarts := intentFor(runtime.StatusRunning, 1)
	for range drift.MaxRestores {
		failedStarts.AddOutcome(operation.Outcome{Automatic: true, StartedAt: now(), Failure: &operation.Failure{Code: operation.FailureStart}})
	}
	onNode2 := &operation.Operation{ID: "op", Region: "eu", Node: "n2"}

	type summary struct {
		kind      drift.Kind
		action    drift.Action
		container string
	}
	tests := []struct {
		name string
		o    drift.Observation
		want []summary
	}{
		{"empty observation", drift.Observation{}, nil},
		{"no disagreement", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateRunning)}}, nil},
		{"stopped and exited", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Containers: []container.Container{newContainer("c1", container.StateExited)}}, nil},
		{"ended with code 0, which is no crash", drift.Observation{
			Record: recordOf(runtime.StatusStopped, "c1"), Containers: []container.Container{exitedWith(0)}, Intent: onFailure, IntentRevision: 5,
		}, nil},
		{"ended with code 1, which is a crash", drift.Observation{
			Record: recordOf(runtime.StatusStopped, "c1"), Containers: []container.Container{exitedWith(1)}, Intent: onFailure, IntentRevision: 5,
		}, []summary{{drift.KindCrashed, drift.ActionRestart, "c1"}}},
		{"removed and no container", drift.Observation{Record: recordOf(runtime.StatusRemoved, "")}, nil},
		{"exited", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateExited)}},
			[]summary{{drift.KindExited, drift.ActionMarkStopped, "c1"}}},
		{"missing, and no operation created it", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1")},
			[]summary{{drift.KindMissing, drift.ActionNone, "c1"}}},
		{"missing", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), IntentRevision: 5},
			[]summary{{drift.KindMissing, drift.ActionMarkRemoved, "c1"}}},
		{"missing while stopped", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), IntentRevision: 5},
			[]summary{{drift.KindMissing, drift.ActionMarkRemoved, "c1"}}},
		{"started by hand", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]summary{{drift.KindUnexpectedRun, drift.ActionMarkRunning, "c1"}}},
		{"engine error", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), EngineError: errors.New("timeout")},
			[]summary{{drift.KindUnknown, drift.ActionNone, "c1"}}},
		{"unknown state", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateUnknown)}},
			[]summary{{drift.KindUnknown, drift.ActionNone, "c1"}}},
		{"another node's game", drift.Observation{Record: onOtherNode}, nil},
		{"stale after the game moved to another node", drift.Observation{Record: onOtherNode, Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]summary{{drift.KindStale, drift.ActionRemoveContainer, "c1"}}},
		{"running although the record is removed", drift.Observation{Record: recordOf(runtime.StatusRemoved, ""), Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]summary{{drift.KindStale, drift.ActionRemoveContainer, "c1"}}},
		{"duplicate", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateRunning), newContainer("c0", container.StateRunning)}},
			[]summary{{drift.KindDuplicate, drift.ActionRemoveContainer, "c0"}}},
		{"stale and exited", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateRunning), newContainer("c0", container.StateExited)}},
			[]summary{{drift.KindStale, drift.ActionRemoveContainer, "c0"}}},
		{"exited, and a stale one is running", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateExited), newContainer("c0", container.StateRunning)}},
			[]summary{{drift.KindExited, drift.ActionMarkStopped, "c1"}, {drift.KindStale, drift.ActionRemoveContainer, "c0"}}},
		{"stale with unknown state", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateRunning), newContainer("c0", container.StateUnknown)}},
			[]summary{{drift.KindUnknown, drift.ActionNone, "c0"}}},
		{"orphan", drift.Observation{Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]summary{{drift.KindOrphan, drift.ActionAdopt, "c1"}}},
		{"two orphans: the running one", drift.Observation{Containers: []container.Container{newContainer("c1", container.StateExited), newContainer("c2", container.StateRunning)}},
			[]summary{{drift.KindOrphan, drift.ActionAdopt, "c2"}}},
		{"orphan that was never started", drift.Observation{Containers: []container.Container{newContainer("c1", container.StateCreated)}},
			[]summary{{drift.KindStale, drift.ActionRemoveContainer, "c1"}}},
		{"orphan with unknown state", drift.Observation{Containers: []container.Container{newContainer("c1", container.StateUnknown)}}, nil},
		{"another image", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{otherImage}},
			[]summary{{drift.KindImage, drift.ActionCorrectRecord, "c1"}}},
		{"the record names no node", drift.Observation{Record: wrongNode, Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]summary{{drift.KindLocation, drift.ActionCorrectRecord, "c1"}}},
		{"interrupted operation", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Intent: operation.Intent{Current: interrupted}},
			[]summary{{drift.KindInterrupted, drift.ActionCompleteOperation, ""}}},
		{"operation in progress on this node", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Intent: operation.Intent{Current: interrupted}, OperationActive: true}, nil},
		{"operation of another node on a game of another node", drift.Observation{Record: onOtherNode, Intent: operation.Intent{Current: onNode2}}, nil},
		{"operation of another node on a game of this node", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Intent: operation.Intent{Current: onNode2}},
			[]summary{{drift.KindInterrupted, drift.ActionCompleteOperation, ""}}},
		{"crashed", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: intentFor(runtime.StatusRunning, 2, now().Add(-time.Hour), now()), Containers: []container.Container{newContainer("c1", container.StateExited)}},
			[]summary{{drift.KindCrashed, drift.ActionRestart, "c1"}}},
		{"crash loop", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: intentFor(runtime.StatusRunning, 2, now(), now()), Containers: []container.Container{newContainer("c1", container.StateExited)}},
			[]summary{{drift.KindCrashLoop, drift.ActionNone, "c1"}}},
		{"crashed without a crash policy", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: intentFor(runtime.StatusRunning, 0), Containers: []container.Container{newContainer("c1", container.StateExited)}},
			[]summary{{drift.KindNotRunning, drift.ActionNone, "c1"}}},
		{"set to stopped by a client", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: intentFor(runtime.StatusRunning, 2), SetByClient: true, Containers: []container.Container{newContainer("c1", container.StateExited)}}, nil},
		{"container removed", drift.Observation{Record: recordOf(runtime.StatusRemoved, ""), Intent: intentFor(runtime.StatusRunning, 0)},
			[]summary{{drift.KindNotRunning, drift.ActionNone, ""}}},
		{"container removed, with a crash policy", drift.Observation{Record: recordOf(runtime.StatusRemoved, ""), Intent: intentFor(runtime.StatusRunning, 2)},
			[]summary{{drift.KindCrashed, drift.ActionRestart, ""}}},
		{"container removed too often", drift.Observation{Record: recordOf(runtime.StatusRemoved, ""), Intent: intentFor(runtime.StatusRunning, 1, now())},
			[]summary{{drift.KindCrashLoop, drift.ActionNone, ""}}},
		{"removed by another node", drift.Observation{Record: removedOnN2, Intent: intentFor(runtime.StatusRunning, 2)}, nil},
		{"ended with its engine", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: intentFor(runtime.StatusRunning, 0), Containers: []container.Container{exited}},
			[]summary{{drift.KindNotRunning, drift.ActionRestart, "c1"}}},
		{"ended with its engine, attempts used up", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: intentFor(runtime.StatusRunning, 1, now()), Containers: []container.Container{exited}},
			[]summary{{drift.KindNotRunning, drift.ActionRestart, "c1"}}},
		{"ended with its engine, and the setting is off", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: intentFor(runtime.StatusRunning, 0), RestoreDisabled: true, Containers: []container.Container{exited}},
			[]summary{{drift.KindNotRunning, drift.ActionNone, "c1"}}},
		{"ended with its engine, and is stopped as desired", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: intentFor(runtime.StatusStopped, 2), Containers: []container.Container{exited}}, nil},
		{"ended with its engine, and the starts failed", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: failedStarts, Containers: []container.Container{exited}},
			[]summary{{drift.KindCrashed, drift.ActionRestart, "c1"}}},
		{"paused", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Intent: noHealthCheck, Containers: []container.Container{paused}},
			[]summary{{drift.KindPaused, drift.ActionNone, "c1"}}},
		{"paused, and the health check decides", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{paused}}, nil},
		{"stopped on purpose", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: intentFor(runtime.StatusStopped, 2), Containers: []container.Container{newContainer("c1", container.StateExited)}}, nil},
		{"unhealthy", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Unhealthy: "timeout", Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]summary{{drift.KindUnhealthy, drift.ActionNone, "c1"}}},
		{"unhealthy with a crash policy", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Intent: intentFor(runtime.StatusRunning, 1), Unhealthy: "timeout", Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]summary{{drift.KindUnhealthy, drift.ActionRestart, "c1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := tt.o
			o.GameID, o.Region, o.Node, o.Now = "g", "eu", "n1", now()
			var got []summary
			for _, f := range drift.Detect(o) {
				got = append(got, summary{f.Kind, f.Action, f.ContainerID})
				require.NotEmpty(t, f.Evidence)
				require.Equal(t, "g", f.GameID)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// An operation that its own daemon is running is a finding once its deadline has passed.
func TestDetectOverdueOperation(t *testing.T) {
	t.Parallel()
	op := operation.Operation{
		ID: "op", Kind: operation.KindStart, Actor: "ada", Region: "eu", Node: "n1", ContainerID: "c2", Step: operation.StepStarting,
		StartedAt: now().Add(-time.Hour), StepAt: now().Add(-time.Minute), Deadline: now(),
	}
	detect := func(at time.Time, op operation.Operation) []drift.Finding {
		return drift.Detect(drift.Observation{
			GameID: "g", Region: "eu", Node: "n1", Now: at, OperationActive: true, Intent: operation.Intent{Current: &op},
			Record: recordOf(runtime.StatusRunning, "c1"), // a change of the operation
		})
	}
	require.Empty(t, detect(now(), op), "until its deadline")
	found := detect(now().Add(time.Second), op)
	require.Len(t, found, 1)
	require.Equal(t, drift.KindOperationOverdue, found[0].Kind)
	require.Equal(t, drift.ActionNone, found[0].Action)
	require.Equal(t, "c2", found[0].ContainerID)
	require.Equal(t, "operation op (start, requested by ada) started at 2026-03-01T11:00:00Z and is at step starting since 2026-03-01T11:59:00Z; "+
		"its deadline was 2026-03-01T12:00:00Z; stop the game with a grace of 0 to end it, or restart the daemon of node eu/n1", found[0].Evidence)

	op.Deadline = time.Time{}
	require.Empty(t, detect(now().Add(time.Second), op), "an operation of a version without deadlines")
	op.Deadline, op.Node = now(), "n2"
	require.Empty(t, detect(now().Add(time.Second), op), "an operation of another node")
}

// While the engine returns an error, no finding proposes an action.
func TestEngineErrorProposesNoAction(t *testing.T) {
	t.Parallel()
	for _, status := range []runtime.Status{runtime.StatusRunning, runtime.StatusStopped, runtime.StatusRemoved} {
		o := drift.Observation{
			GameID: "g", Region: "eu", Node: "n1", Now: now(), EngineError: errors.New("timeout"), Record: recordOf(status, "c1"),
			Intent: intentFor(runtime.StatusRunning, 5), Containers: []container.Container{newContainer("c1", container.StateExited), newContainer("c2", container.StateRunning)},
		}
		for _, f := range drift.Detect(o) {
			require.Equal(t, drift.ActionNone, f.Action, "%s: %s", status, f.Evidence)
		}
	}
}

func TestTrackerCountsObservations(t *testing.T) {
	t.Parallel()
	tracker := drift.NewTracker()
	record := func(evidence string, at time.Time) drift.Finding {
		return tracker.Record("g", []drift.Finding{{ID: "x", GameID: "g", Evidence: evidence}}, at)[0]
	}
	require.Equal(t, 1, record("a", now()).Observations)
	second := record("a", now().Add(time.Second))
	require.Equal(t, 2, second.Observations)
	require.Equal(t, now(), second.FirstSeen)
	require.Equal(t, 1, record("b", now().Add(2*time.Second)).Observations, "other evidence is a new finding")

	require.Len(t, tracker.All(), 1)
	tracker.Record("g", nil, now())
	require.Empty(t, tracker.ForGame("g"))
	record("a", now())
	tracker.Prune(map[string]*drift.Observation{})
	require.Empty(t, tracker.All(), "the game is not observed any more")
}
