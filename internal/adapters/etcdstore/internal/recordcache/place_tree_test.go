package recordcache

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPlaceTreeOfManyLevels compares trees of three levels and more with maps, while keys are added
// and removed in several orders, in clones as well.
func TestPlaceTreeOfManyLevels(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	const keys = 20_000
	segment := func(n int) string { return fmt.Sprintf("game-%05d", n) }
	ascending := make([]int, keys)
	for i := range ascending {
		ascending[i] = i
	}
	descending := slices.Clone(ascending)
	slices.Reverse(descending)
	for _, order := range [][]int{ascending, descending, random.Perm(keys)} {
		var tree placeTree
		by, model := new(owner), map[string]*place{}
		for _, removal := range [][]int{ascending, descending, random.Perm(keys)} {
			for _, n := range order {
				p := &place{segment: segment(n)}
				require.Equal(t, model[p.segment] == nil, tree.add(by, p), p.segment)
				if model[p.segment] == nil {
					model[p.segment] = p
				}
			}
			requirePlaces(t, model, &tree)
			before, modelBefore := tree, maps.Clone(model)
			by = new(owner)
			for i, n := range removal[:keys-100] {
				require.Same(t, model[segment(n)], tree.remove(by, segment(n)), segment(n))
				require.Nil(t, tree.remove(by, segment(n)))
				delete(model, segment(n))
				if i%(keys/4) == 0 {
					requirePlaces(t, model, &tree)
				}
			}
			requirePlaces(t, model, &tree)
			requirePlaces(t, modelBefore, &before)
		}
	}
}

func requirePlaces(t *testing.T, model map[string]*place, tree *placeTree) {
	t.Helper()
	require.Equal(t, len(model), tree.Len())
	for segment, p := range model {
		if tree.get(segment) != p {
			require.Same(t, p, tree.get(segment), segment)
		}
	}
	var segments []string
	tree.ascend("", func(p *place) bool {
		segments = append(segments, p.segment)
		return true
	})
	require.True(t, slices.Equal(slices.Sorted(maps.Keys(model)), segments), "the order of %d places", len(model))
}
