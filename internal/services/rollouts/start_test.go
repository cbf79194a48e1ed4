package rollouts_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/rollouts"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// emptyStore has no rollouts.
type emptyStore struct{ ports.RolloutStore }

func (emptyStore) Rollouts(context.Context) ([]rollout.Rollout, error) { return nil, nil }

// A rollout that would fail for a game because of its version is rejected before it is stored.
func TestIncompatibleImagesAreRejected(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	at := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for gameID, image := range map[string]string{"a": "game:1.2.3", "b": "game:1.2.4", "c": "game:1.3.0"} {
		require.NoError(t, store.Upsert(t.Context(), runtime.RuntimeRecord{
			GameID: gameID, Status: runtime.StatusRunning, Region: "eu", Node: "n1", CurrentContainerID: gameID, CurrentImageRef: image,
			CreatedAt: at, LastOpAt: at, StartedAt: &at,
		}))
	}
	service := rollouts.New(rollouts.Dependencies{Records: store, Store: emptyStore{}}, rollouts.Config{})
	plan := func(image string, isForced bool, patterns ...string) ([]rollout.PlannedGame, error) {
		return service.Plan(t.Context(), ports.RolloutRequest{
			Spec:   rollout.Spec{Image: image, MaxParallel: 1, Force: isForced},
			Filter: ports.RecordFilter{Images: patterns},
		})
	}
	_, err := plan("game:1.2.4", false)
	require.ErrorIs(t, err, operation.ErrRejected)
	require.ErrorContains(t, err, "game c: game:1.2.4 is another major or minor version than game:1.3.0; force the rollout")
	planned, err := plan("game:1.2.4", false, "game:1.2.3", "game:1.2.4")
	require.NoError(t, err)
	require.Len(t, planned, 2)
	require.True(t, planned[1].IsUnchanged)
	planned, err = plan("game:2.0.0", true)
	require.NoError(t, err)
	require.Len(t, planned, 3)
}
