package reconcile

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newTestBrake is a brake of a node that runs so many games, and what moves its clock.
func newTestBrake(running int) (*brake, func(time.Duration)) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := newBrake(Config{Clock: func() time.Time { return now }}.withDefaults())
	b.weigh(running, 0)
	return b, func(d time.Duration) { now = now.Add(d) }
}

func TestBrakeCountsGamesAndNotTries(t *testing.T) {
	t.Parallel()
	b, _ := newTestBrake(2)
	for range 20 {
		require.True(t, b.allows("wedged"), "one container that cannot be removed is no reason to hold others")
	}
	for n := range fewestEvents - 1 {
		require.True(t, b.allows(strconv.Itoa(n)))
	}
	require.False(t, b.allows("one too many"))
	require.NotNil(t, b.held())
	require.False(t, b.allows("wedged"), "nothing goes while it is on")
}

func TestBrakeForgetsWhatWasLongAgo(t *testing.T) {
	t.Parallel()
	b, wait := newTestBrake(2)
	for n := range 10 * fewestEvents {
		require.True(t, b.allows(strconv.Itoa(n)))
		wait(brakeWindow/fewestEvents + time.Second)
	}
}
