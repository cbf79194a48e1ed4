package recordcache

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// changesAt returns one change for each number of bytes, which is at least recordOverhead.
func changesAt(revision int64, bytes ...int) (changes []Change) {
	for _, n := range bytes {
		after := new(Record)
		after.EngineEndpoint = strings.Repeat("x", max(0, n-recordOverhead))
		changes = append(changes, Change{Revision: revision, After: after})
	}
	return changes
}

// TestLogIsBoundedByBytesAndDropsWholeRevisions fills a log with few large changes.
func TestLogIsBoundedByBytesAndDropsWholeRevisions(t *testing.T) {
	t.Parallel()
	l := NewEventLog(1000)
	l.Start(10)
	const third = maxLogBytes / 3
	l.Append(changesAt(11, third, 10), 11)
	l.Append(changesAt(12, third), 12)
	require.True(t, l.Covers(0, 10))
	l.Append(changesAt(13, third), 13)
	changes, bytes := l.Size()
	require.Equal(t, 2, changes, "both changes of revision 11 are dropped")
	require.Equal(t, 2*third, bytes)
	require.False(t, l.Covers(0, 10), "11 is dropped")
	require.True(t, l.Covers(0, 11))
	require.False(t, l.Covers(0, 14), "the log has not reached 14")
}

// TestChangeLargerThanTheLog leaves the log empty.
func TestChangeLargerThanTheLog(t *testing.T) {
	t.Parallel()
	l := NewEventLog(1000)
	l.Start(10)
	l.Append(changesAt(11, maxLogBytes+1), 11)
	changes, bytes := l.Size()
	require.Zero(t, changes)
	require.Zero(t, bytes)
	require.False(t, l.Covers(0, 10), "a subscriber that has not received 11 must read from etcd")
	require.True(t, l.Covers(0, 11))
}

// TestReadNeverSplitsARevision reads less than a revision contains.
func TestReadNeverSplitsARevision(t *testing.T) {
	t.Parallel()
	l := NewEventLog(1000)
	l.Start(10)
	large := changesAt(11, make([]int, ReadBatchSize+5)...)
	l.Append(append(large, changesAt(12, 1)...), 15)
	changes, position, changed, covered := l.Read(0, 10, nil)
	require.True(t, covered)
	require.Len(t, changes, ReadBatchSize+5)
	require.EqualValues(t, 11, position)
	require.Nil(t, changed, "more changes follow at once")
	changes, position, changed, _ = l.Read(0, 11, nil)
	require.Len(t, changes, 1)
	require.EqualValues(t, 15, position, "there is no change up to it")
	require.NotNil(t, changed)
}

// TestForeignHistoryCoversNoEarlierSubscriber restarts the log after etcd's revision went
// back, and then passes the revision of a subscriber of the old history.
func TestForeignHistoryCoversNoEarlierSubscriber(t *testing.T) {
	t.Parallel()
	l := NewEventLog(1000)
	l.Start(10)
	before := l.Epoch()
	l.Invalidate(true)
	require.False(t, l.Covers(l.Epoch(), 10), "invalidated")
	l.Start(5)
	l.Append(changesAt(11, 1), 11)
	require.False(t, l.Covers(before, 10))
	require.True(t, l.Covers(l.Epoch(), 10))
}
