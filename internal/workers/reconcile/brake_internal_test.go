package reconcile

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newTestBrake returns the brake of a node with running games, and a function that
// advances its clock.
func newTestBrake(running int) (*brake, func(time.Duration)) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := newBrake(Config{Clock: func() time.Time { return now }}.withDefaults())
	b.evaluate(running, 0)
	return b, func(d time.Duration) { now = now.Add(d) }
}

func TestBrakeCountsGamesNotAttempts(t *testing.T) {
	t.Parallel()
	b, _ := newTestBrake(2)
	for range 20 {
		require.True(t, b.admitRemoval("hanging"), "a container that cannot be removed does not block others")
	}
	for n := range minRecentRemovals - 1 {
		require.True(t, b.admitRemoval(strconv.Itoa(n)))
	}
	require.False(t, b.admitRemoval("one too many"))
	require.NotNil(t, b.state())
	require.False(t, b.admitRemoval("hanging"), "nothing is allowed while the brake is engaged")
}

func TestBrakeIgnoresRemovalsOutsideOfTheWindow(t *testing.T) {
	t.Parallel()
	b, advance := newTestBrake(2)
	for n := range 10 * minRecentRemovals {
		require.True(t, b.admitRemoval(strconv.Itoa(n)))
		advance(removalWindow/minRecentRemovals + time.Second)
	}
}
