package lifecycle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// A write that accepts an operation may be applied although its response is lost. The next
// request for the game then runs the operation, because nothing else does while clients retry.
func TestRequestsResumeAnOperationThatNothingRuns(t *testing.T) {
	t.Parallel()
	for name, isRepeated := range map[string]bool{"the same request": true, "another request": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := nodetest.New(t, nodetest.Config{})
			start := nodetest.StartOp("g", nodetest.GameSpec("1.0.0"))
			start.Origin.OperationID = "lost"
			n.MustExecute(nodetest.StartOp("g", *start.Spec))
			n.MustExecute(nodetest.Op(operation.KindStop, "g"))
			stored, err := n.Store.GetIntent(t.Context(), "g")
			require.NoError(t, err)
			record := n.Record("g")
			next := stored.Intent.Clone()
			next.Current = &operation.Operation{
				ID: "lost", Kind: operation.KindRestart, Spec: next.Spec, Region: n.Config.Region, Node: n.Config.Name,
				Step: operation.StepAccepted, Session: 1, PreviousRecord: &record, StartedAt: time.Now(), StepAt: time.Now(),
				Deadline: time.Now().Add(time.Minute),
			}
			_, err = n.Store.PutIntent(t.Context(), next, stored.IntentVersion)
			require.NoError(t, err)

			request := nodetest.Op(operation.KindRestart, "g")
			if isRepeated {
				request.Origin.OperationID = "lost"
				n.MustExecute(request)
			} else {
				_, err = n.Execute(request)
				require.ErrorIs(t, err, operation.ErrBusy)
				require.Eventually(t, func() bool { return !n.Service.HasActive("g") }, nodetest.Timeout, 10*time.Millisecond)
			}
			require.Equal(t, runtime.StatusRunning, n.Record("g").Status, "the operation has been carried out")
		})
	}
}
