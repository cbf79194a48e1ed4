package reconcile_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// The health of games is unknown while their engine is away, after a grace, and known once it is
// back. Neither a short absence nor a long one costs further writes.
func TestHealthIsUnknownWhileTheEngineIsAway(t *testing.T) {
	t.Parallel()
	engine := &faultyEngine{}
	f := newFixtureWith(t, func(base ports.Engine) ports.Engine { engine.Engine = base; return engine })
	require.NoError(t, f.execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: spec(images[0], 0)}))
	require.NoError(t, f.pass(t.Context()))
	before, beforeRevision, err := f.record(t.Context(), "g")
	require.NoError(t, err)
	require.True(t, before.Ready)

	engine.down.Store(true)
	for range 2 {
		require.NoError(t, f.pass(t.Context()))
		_, revision, err := f.record(t.Context(), "g")
		require.NoError(t, err)
		require.Equal(t, beforeRevision, revision, "a restart of the engine")
		f.wait(5 * time.Second)
	}
	require.NoError(t, f.pass(t.Context()))
	away, awayRevision, err := f.record(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, runtime.HealthUnknown, away.Health)
	require.Equal(t, runtime.StatusRunning, away.Status)
	require.False(t, away.Ready)
	require.NotEqual(t, before.HealthSince, away.HealthSince)
	f.wait(time.Minute)
	require.NoError(t, f.pass(t.Context()))
	_, revision, err := f.record(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, awayRevision, revision)

	engine.down.Store(false)
	require.NoError(t, f.pass(t.Context()))
	back, _, err := f.record(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, runtime.HealthNone, back.Health)
	require.True(t, back.Ready)
}
