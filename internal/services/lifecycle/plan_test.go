package lifecycle

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func stateOf(status runtime.Status, container container.State) gameState {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	record := &runtime.RuntimeRecord{
		GameID: "g", Status: status, CurrentContainerID: "c", CurrentImageRef: "a:1.2.3", Generation: 4, CreatedAt: at, LastOpAt: at,
	}
	return gameState{record: record, container: container, intent: operation.Intent{Spec: operation.Spec{Image: "a:1.2.3"}}}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	unknown := gameState{}
	running, stopped, removed := stateOf(runtime.StatusRunning, container.StateRunning), stateOf(runtime.StatusStopped, container.StateExited), stateOf(runtime.StatusRemoved, "")
	removed.record.CurrentContainerID = ""
	same, changed := stateOf(runtime.StatusRunning, container.StateRunning), stateOf(runtime.StatusRunning, container.StateRunning)
	same.containerDigest, same.imageDigest = "one", "one"
	changed.containerDigest, changed.imageDigest = "one", "two"
	spec := func(image string) *operation.Spec { return &operation.Spec{Image: image} }
	tests := []struct {
		name       string
		request    ports.OperationRequest
		state      gameState
		image      string
		generation int64 // of the container that is made, 0 for none
		wantErr    error
	}{
		{"start of an unknown game", ports.OperationRequest{Kind: operation.KindStart, Spec: spec("a:1")}, unknown, "a:1", 1, nil},
		{"start of an unknown game without image", ports.OperationRequest{Kind: operation.KindStart}, unknown, "", 0, runtime.ErrInvalid},
		{"start of a stopped game", ports.OperationRequest{Kind: operation.KindStart}, stopped, "a:1.2.3", 0, nil},
		{"start of a stopped game with the same spec", ports.OperationRequest{Kind: operation.KindStart, Spec: spec("a:1.2.3")}, stopped, "a:1.2.3", 0, nil},
		{"start with another image", ports.OperationRequest{Kind: operation.KindStart, Spec: spec("b:1")}, stopped, "b:1", 5, nil},
		{"start with other arguments", ports.OperationRequest{Kind: operation.KindStart, Spec: &operation.Spec{Args: []string{"x"}}}, stopped, "a:1.2.3", 5, nil},
		{"start with another crash policy", ports.OperationRequest{Kind: operation.KindStart, Spec: &operation.Spec{Crash: operation.CrashPolicy{Attempts: 3}}}, stopped, "a:1.2.3", 0, nil},
		{"start with a missing container", ports.OperationRequest{Kind: operation.KindStart}, stateOf(runtime.StatusStopped, ""), "a:1.2.3", 5, nil},
		{"start of a removed game", ports.OperationRequest{Kind: operation.KindStart}, removed, "a:1.2.3", 5, nil},
		{"start of a running game", ports.OperationRequest{Kind: operation.KindStart, Spec: spec("a:1.2.3")}, running, "a:1.2.3", 0, nil},
		{"start of a running game with another image", ports.OperationRequest{Kind: operation.KindStart, Spec: spec("b:1")}, running, "", 0, operation.ErrRejected},
		{"start of a running game with another policy", ports.OperationRequest{Kind: operation.KindStart, Spec: &operation.Spec{Crash: operation.CrashPolicy{Attempts: 3}}}, running, "", 0, operation.ErrRejected},
		{"start of a running record with a missing container", ports.OperationRequest{Kind: operation.KindStart}, stateOf(runtime.StatusRunning, ""), "a:1.2.3", 5, nil},
		{"cleanup of a stopped record with a running container", ports.OperationRequest{Kind: operation.KindCleanup}, stateOf(runtime.StatusStopped, container.StateRunning), "", 0, operation.ErrRejected},
		{"stop of an unknown game", ports.OperationRequest{Kind: operation.KindStop}, unknown, "", 0, runtime.ErrNotFound},
		{"stop", ports.OperationRequest{Kind: operation.KindStop}, running, "a:1.2.3", 0, nil},
		{"stop of a stopped game", ports.OperationRequest{Kind: operation.KindStop}, stopped, "a:1.2.3", 0, nil},
		{"stop of a removed game", ports.OperationRequest{Kind: operation.KindStop}, removed, "", 0, operation.ErrRejected},
		{"restart of an unknown game", ports.OperationRequest{Kind: operation.KindRestart}, unknown, "", 0, runtime.ErrNotFound},
		{"restart of a removed game", ports.OperationRequest{Kind: operation.KindRestart}, removed, "", 0, operation.ErrRejected},
		{"cleanup of an unknown game", ports.OperationRequest{Kind: operation.KindCleanup}, unknown, "", 0, runtime.ErrNotFound},
		{"cleanup of a running game", ports.OperationRequest{Kind: operation.KindCleanup}, running, "", 0, operation.ErrRejected},
		{"cleanup", ports.OperationRequest{Kind: operation.KindCleanup}, stopped, "a:1.2.3", 0, nil},
		{"cleanup of a removed game", ports.OperationRequest{Kind: operation.KindCleanup}, removed, "a:1.2.3", 0, nil},
		{"patch of an unknown game", ports.OperationRequest{Kind: operation.KindPatch, Image: "a:1.2.4"}, unknown, "", 0, runtime.ErrNotFound},
		{"patch without image", ports.OperationRequest{Kind: operation.KindPatch}, running, "", 0, runtime.ErrInvalid},
		{"patch", ports.OperationRequest{Kind: operation.KindPatch, Image: "a:1.2.4"}, running, "a:1.2.4", 5, nil},
		{"patch to the same image", ports.OperationRequest{Kind: operation.KindPatch, Image: "a:1.2.3"}, running, "a:1.2.3", 0, nil},
		{"patch to the same image with the same content", ports.OperationRequest{Kind: operation.KindPatch, Image: "a:1.2.3"}, same, "a:1.2.3", 0, nil},
		{"patch to the same image with other content", ports.OperationRequest{Kind: operation.KindPatch, Image: "a:1.2.3"}, changed, "a:1.2.3", 5, nil},
		{"patch to the same image by force", ports.OperationRequest{Kind: operation.KindPatch, Image: "a:1.2.3", Force: true}, same, "a:1.2.3", 5, nil},
		{"patch to the same image with a pull", ports.OperationRequest{Kind: operation.KindPatch, Image: "a:1.2.3", Pull: true}, same, "a:1.2.3", 5, nil},
		{"patch to the full name of the image", ports.OperationRequest{Kind: operation.KindPatch, Image: "docker.io/library/a:1.2.4"}, running, "docker.io/library/a:1.2.4", 5, nil},
		{"patch to the image of another repository", ports.OperationRequest{Kind: operation.KindPatch, Image: "docker.io/team/a:1.2.4"}, running, "", 0, operation.ErrRejected},
		{"start of a stopped game with a pull", ports.OperationRequest{Kind: operation.KindStart, Pull: true}, stopped, "a:1.2.3", 5, nil},
		{"start of a running game with a pull", ports.OperationRequest{Kind: operation.KindStart, Pull: true}, running, "a:1.2.3", 0, nil},
		{"patch to another minor", ports.OperationRequest{Kind: operation.KindPatch, Image: "a:1.3.0"}, running, "", 0, operation.ErrRejected},
		{"patch to another major", ports.OperationRequest{Kind: operation.KindPatch, Image: "a:2.2.3"}, running, "", 0, operation.ErrRejected},
		{"patch to another major by force", ports.OperationRequest{Kind: operation.KindPatch, Image: "a:2.2.3", Force: true}, running, "a:2.2.3", 5, nil},
		{"patch to another image", ports.OperationRequest{Kind: operation.KindPatch, Image: "b:1.2.4"}, running, "", 0, operation.ErrRejected},
		{"patch to an image without a version", ports.OperationRequest{Kind: operation.KindPatch, Image: "a:latest"}, running, "", 0, operation.ErrRejected},
		{"patch of other arguments", ports.OperationRequest{Kind: operation.KindPatch, Spec: &operation.Spec{Args: []string{"x"}}}, running, "a:1.2.3", 5, nil},
		{"patch of other arguments of a stopped game", ports.OperationRequest{Kind: operation.KindPatch, Spec: &operation.Spec{Image: "a:1.2.3", Args: []string{"x"}}}, stopped, "a:1.2.3", 5, nil},
		{"patch of the crash policy", ports.OperationRequest{Kind: operation.KindPatch, Spec: &operation.Spec{Crash: operation.CrashPolicy{Attempts: 3}}}, running, "a:1.2.3", 0, nil},
		{"patch to the same spec", ports.OperationRequest{Kind: operation.KindPatch, Spec: spec("a:1.2.3")}, running, "a:1.2.3", 0, nil},
		{"patch to a spec with another image", ports.OperationRequest{Kind: operation.KindPatch, Spec: spec("a:1.2.4")}, running, "a:1.2.4", 5, nil},
		{"patch to a spec with another minor", ports.OperationRequest{Kind: operation.KindPatch, Spec: spec("a:1.3.0")}, running, "", 0, operation.ErrRejected},
		{"patch to an invalid spec", ports.OperationRequest{Kind: operation.KindPatch, Spec: &operation.Spec{Port: -1}}, running, "", 0, runtime.ErrInvalid},
		{"patch of a removed game", ports.OperationRequest{Kind: operation.KindPatch, Image: "a:1.2.4"}, removed, "", 0, operation.ErrRejected},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			op, err := plan(tt.request, tt.state)
			if tt.wantErr != nil {
				require.ErrorIs(t, err, tt.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.image, op.Spec.Image)
			require.Equal(t, tt.generation, op.Generation)
		})
	}
}

func TestContainerNamesAreUnique(t *testing.T) {
	t.Parallel()
	require.Regexp(t, `^rtm-a-b-[0-9a-f]{12}-g3$`, containerName("store", "a/b", 3))
	require.NotEqual(t, containerName("store", "a/b", 3), containerName("store", "a-b", 3), "the same slug")
	require.NotEqual(t, containerName("store", "a", 3), containerName("other", "a", 3), "two stores on one engine")
	require.LessOrEqual(t, len(containerName("s", string(make([]byte, 256)), 1<<62)), 80)
}
