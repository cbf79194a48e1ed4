package batcher

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatsCountRequestsBySize(t *testing.T) {
	t.Parallel()
	for size := 1; size <= maxOperations; size++ {
		var s Stats
		s.add(size)
		require.Equal(t, int64(1), s.Requests)
		require.Equal(t, int64(size), s.Transactions)
		for i, bound := range SizeBounds() {
			isInBucket := size <= bound && (i == 0 || size > SizeBounds()[i-1])
			require.Equal(t, isInBucket, s.Sizes[i] == 1, "size %d, bucket %d", size, i)
		}
	}
}
