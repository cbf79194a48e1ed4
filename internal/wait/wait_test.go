package wait_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/wait"
)

func TestForWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		require.NoError(t, wait.For(t.Context(), time.Minute))
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestForEndsWithItsContext(t *testing.T) {
	t.Parallel()
	stopping := errors.New("stopping")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopping)
	require.Equal(t, stopping, wait.For(ctx, time.Hour))
}

func TestJitteredStaysWithinAFifth(t *testing.T) {
	t.Parallel()
	for range 100 {
		require.InDelta(t, time.Minute, wait.Jittered(time.Minute), float64(12*time.Second))
	}
	require.Zero(t, wait.Jittered(0))
}
