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

func wanting(status runtime.Status, attempts int, restarts ...time.Time) operation.Intent {
	return operation.Intent{
		DesiredStatus: status, Restarts: restarts,
		Spec: operation.Spec{Image: "a:1", Crash: operation.CrashPolicy{Attempts: attempts, Window: operation.Duration(time.Minute)}},
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	elsewhere := recordOf(runtime.StatusRunning, "c2")
	elsewhere.Node = "n2"
	moved := recordOf(runtime.StatusRunning, "c1")
	moved.Node = ""
	other := newContainer("c1", container.StateRunning)
	other.Labels.Image = "a:2"
	left := &operation.Operation{ID: "op", Kind: operation.KindPatch, Region: "eu", Node: "n1", Step: operation.StepStopping}
	theirs := &operation.Operation{ID: "op", Region: "eu", Node: "n2"}

	type found struct {
		kind      drift.Kind
		action    drift.Action
		container string
	}
	tests := []struct {
		name string
		o    drift.Observation
		want []found
	}{
		{"nothing at all", drift.Observation{}, nil},
		{"all agree", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateRunning)}}, nil},
		{"stopped and exited", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Containers: []container.Container{newContainer("c1", container.StateExited)}}, nil},
		{"removed and gone", drift.Observation{Record: recordOf(runtime.StatusRemoved, "")}, nil},
		{"exited", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateExited)}},
			[]found{{drift.KindExited, drift.ActionMarkStopped, "c1"}}},
		{"gone, and nobody here made it", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1")},
			[]found{{drift.KindMissing, drift.ActionNone, "c1"}}},
		{"gone", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), IntentRevision: 5},
			[]found{{drift.KindMissing, drift.ActionMarkRemoved, "c1"}}},
		{"gone while stopped", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), IntentRevision: 5},
			[]found{{drift.KindMissing, drift.ActionMarkRemoved, "c1"}}},
		{"resumed by hand", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]found{{drift.KindUnexpectedRun, drift.ActionMarkRunning, "c1"}}},
		{"the engine does not answer", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), EngineError: errors.New("timeout")},
			[]found{{drift.KindUnknown, drift.ActionNone, "c1"}}},
		{"the engine cannot say", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateUnknown)}},
			[]found{{drift.KindUnknown, drift.ActionNone, "c1"}}},
		{"another node's game", drift.Observation{Record: elsewhere}, nil},
		{"left behind when the game moved", drift.Observation{Record: elsewhere, Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]found{{drift.KindStale, drift.ActionRemoveContainer, "c1"}}},
		{"alive although removed", drift.Observation{Record: recordOf(runtime.StatusRemoved, ""), Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]found{{drift.KindStale, drift.ActionRemoveContainer, "c1"}}},
		{"twins", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateRunning), newContainer("c0", container.StateRunning)}},
			[]found{{drift.KindDuplicate, drift.ActionRemoveContainer, "c0"}}},
		{"an exited leftover", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateRunning), newContainer("c0", container.StateExited)}},
			[]found{{drift.KindStale, drift.ActionRemoveContainer, "c0"}}},
		{"exited beside a stale one", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateExited), newContainer("c0", container.StateRunning)}},
			[]found{{drift.KindExited, drift.ActionMarkStopped, "c1"}, {drift.KindStale, drift.ActionRemoveContainer, "c0"}}},
		{"a stranger about which nothing is known", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{newContainer("c1", container.StateRunning), newContainer("c0", container.StateUnknown)}},
			[]found{{drift.KindUnknown, drift.ActionNone, "c0"}}},
		{"orphan", drift.Observation{Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]found{{drift.KindOrphan, drift.ActionAdopt, "c1"}}},
		{"two orphans: the one that runs", drift.Observation{Containers: []container.Container{newContainer("c1", container.StateExited), newContainer("c2", container.StateRunning)}},
			[]found{{drift.KindOrphan, drift.ActionAdopt, "c2"}}},
		{"orphan that was never started", drift.Observation{Containers: []container.Container{newContainer("c1", container.StateCreated)}},
			[]found{{drift.KindStale, drift.ActionRemoveContainer, "c1"}}},
		{"orphan of which nothing is known", drift.Observation{Containers: []container.Container{newContainer("c1", container.StateUnknown)}}, nil},
		{"another image", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Containers: []container.Container{other}},
			[]found{{drift.KindImage, drift.ActionCorrectRecord, "c1"}}},
		{"the record names another place", drift.Observation{Record: moved, Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]found{{drift.KindLocation, drift.ActionCorrectRecord, "c1"}}},
		{"left behind by a daemon", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Intent: operation.Intent{Current: left}},
			[]found{{drift.KindInterrupted, drift.ActionCompleteOperation, ""}}},
		{"an operation in progress here", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Intent: operation.Intent{Current: left}, OperationActive: true}, nil},
		{"an operation in progress elsewhere on a game of theirs", drift.Observation{Record: elsewhere, Intent: operation.Intent{Current: theirs}}, nil},
		{"an operation in progress elsewhere on a game of ours", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Intent: operation.Intent{Current: theirs}},
			[]found{{drift.KindInterrupted, drift.ActionCompleteOperation, ""}}},
		{"crashed", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: wanting(runtime.StatusRunning, 2, now().Add(-time.Hour), now()), Containers: []container.Container{newContainer("c1", container.StateExited)}},
			[]found{{drift.KindCrashed, drift.ActionRestart, "c1"}}},
		{"crashed too often", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: wanting(runtime.StatusRunning, 2, now(), now()), Containers: []container.Container{newContainer("c1", container.StateExited)}},
			[]found{{drift.KindCrashLoop, drift.ActionNone, "c1"}}},
		{"crashed, and nobody minds", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: wanting(runtime.StatusRunning, 0), Containers: []container.Container{newContainer("c1", container.StateExited)}}, nil},
		{"stopped as it should be", drift.Observation{Record: recordOf(runtime.StatusStopped, "c1"), Intent: wanting(runtime.StatusStopped, 2), Containers: []container.Container{newContainer("c1", container.StateExited)}}, nil},
		{"unhealthy", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Unhealthy: "no answer", Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]found{{drift.KindUnhealthy, drift.ActionNone, "c1"}}},
		{"unhealthy, to be restarted", drift.Observation{Record: recordOf(runtime.StatusRunning, "c1"), Intent: wanting(runtime.StatusRunning, 1), Unhealthy: "no answer", Containers: []container.Container{newContainer("c1", container.StateRunning)}},
			[]found{{drift.KindUnhealthy, drift.ActionRestart, "c1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := tt.o
			o.GameID, o.Region, o.Node, o.Now = "g", "eu", "n1", now()
			var got []found
			for _, f := range drift.Detect(o) {
				got = append(got, found{f.Kind, f.Action, f.ContainerID})
				require.NotEmpty(t, f.Evidence)
				require.Equal(t, "g", f.GameID)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// Whatever is seen while the engine gives no answer, nothing is taken away.
func TestUnknownProposesNothing(t *testing.T) {
	t.Parallel()
	for _, status := range []runtime.Status{runtime.StatusRunning, runtime.StatusStopped, runtime.StatusRemoved} {
		o := drift.Observation{
			GameID: "g", Region: "eu", Node: "n1", Now: now(), EngineError: errors.New("timeout"), Record: recordOf(status, "c1"),
			Intent: wanting(runtime.StatusRunning, 5), Containers: []container.Container{newContainer("c1", container.StateExited), newContainer("c2", container.StateRunning)},
		}
		for _, f := range drift.Detect(o) {
			require.Equal(t, drift.ActionNone, f.Action, "%s: %s", status, f.Evidence)
		}
	}
}

func TestBookCountsWhatStaysTheSame(t *testing.T) {
	t.Parallel()
	book := drift.NewTracker()
	seen := func(evidence string, at time.Time) drift.Finding {
		return book.Record("g", []drift.Finding{{ID: "x", GameID: "g", Evidence: evidence}}, at)[0]
	}
	require.Equal(t, 1, seen("a", now()).Observations)
	again := seen("a", now().Add(time.Second))
	require.Equal(t, 2, again.Observations)
	require.Equal(t, now(), again.FirstSeen)
	require.Equal(t, 1, seen("b", now().Add(2*time.Second)).Observations, "something else was seen")

	require.Len(t, book.All(), 1)
	book.Record("g", nil, now())
	require.Empty(t, book.ForGame("g"))
	seen("a", now())
	book.Prune(map[string]*drift.Observation{})
	require.Empty(t, book.All(), "a game that is not seen any more")
}
