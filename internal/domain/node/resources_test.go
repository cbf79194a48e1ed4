package node_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
)

// A request that is out of any range must neither fit nor make the sum of a node negative, which
// would let any number of games fit.
func TestHugeRequestsDoNotFit(t *testing.T) {
	t.Parallel()
	capacity := node.Capacity{MemoryBytes: 1 << 34}
	huge, small := node.Resources{MemoryBytes: math.MaxInt64}, node.Resources{MemoryBytes: 1 << 30}
	var used node.Usage
	used.Add(small)
	require.Empty(t, capacity.Shortage(used, small))
	require.NotEmpty(t, capacity.Shortage(used, huge))
	for range 3 { // on a node that had no limit before
		used.Add(huge)
	}
	require.Equal(t, int64(math.MaxInt64), used.MemoryBytes)
	require.NotEmpty(t, capacity.Shortage(used, small))
}
