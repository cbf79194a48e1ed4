package etcdstore

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func changesAt(revision int64, bytes ...int) (changes []recordChange) {
	for _, n := range bytes {
		changes = append(changes, recordChange{revision: revision, after: &entry{bytes: n}})
	}
	return changes
}

// TestHistoryIsBoundedByBytesAndForgetsWholeRevisions fills a history with few
// large changes.
func TestHistoryIsBoundedByBytesAndForgetsWholeRevisions(t *testing.T) {
	t.Parallel()
	h := newHub()
	h.begin(10)
	const third = maxHistoryBytes / 3
	h.publish(changesAt(11, third, 10), 11)
	h.publish(changesAt(12, third), 12)
	require.True(t, h.covers(0, 10))
	h.publish(changesAt(13, third), 13)
	changes, bytes := h.size()
	require.Equal(t, 2, changes, "both changes of revision 11 are gone")
	require.Equal(t, 2*third, bytes)
	require.False(t, h.covers(0, 10), "11 is forgotten")
	require.True(t, h.covers(0, 11))
	require.False(t, h.covers(0, 14), "the hub has not come to 14")
}

// TestOneChangeBeyondAllBounds keeps nothing for the others.
func TestOneChangeBeyondAllBounds(t *testing.T) {
	t.Parallel()
	h := newHub()
	h.begin(10)
	h.publish(changesAt(11, maxHistoryBytes+1), 11)
	changes, bytes := h.size()
	require.Zero(t, changes)
	require.Zero(t, bytes)
	require.False(t, h.covers(0, 10), "who has not heard of 11 must ask etcd")
	require.True(t, h.covers(0, 11))
}

// TestTakeNeverSplitsARevision asks for less than a revision holds.
func TestTakeNeverSplitsARevision(t *testing.T) {
	t.Parallel()
	h := newHub()
	h.begin(10)
	large := changesAt(11, make([]int, takenAtOnce+5)...)
	h.publish(append(large, changesAt(12, 1)...), 15)
	changes, position, moved, covered := h.take(0, 10, nil)
	require.True(t, covered)
	require.Len(t, changes, takenAtOnce+5)
	require.EqualValues(t, 11, position)
	require.Nil(t, moved, "there is more at once")
	changes, position, moved, _ = h.take(0, 11, nil)
	require.Len(t, changes, 1)
	require.EqualValues(t, 15, position, "nothing has changed up to there")
	require.NotNil(t, moved)
}

// TestForeignHistoryCoversNobodyFromBefore begins anew after etcd has gone back,
// and then passes the revision that a subscriber of the old history stands at.
func TestForeignHistoryCoversNobodyFromBefore(t *testing.T) {
	t.Parallel()
	h := newHub()
	h.begin(10)
	before := h.era()
	h.interrupt(true)
	require.False(t, h.covers(h.era(), 10), "interrupted")
	h.begin(5)
	h.publish(changesAt(11, 1), 11)
	require.False(t, h.covers(before, 10))
	require.True(t, h.covers(h.era(), 10))
}
