package recordcache

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// modelRecord returns a record with few values for each attribute, sometimes a corrupt one.
func modelRecord(segment string, revision int64, random *rand.Rand) *Record {
	r := &Record{Segment: segment}
	r.ModRevision = revision
	if random.IntN(10) == 0 {
		r.DecodeErr = &runtime.CorruptError{Key: segment}
		return r
	}
	r.GameID, r.Status = segment, runtime.Statuses()[random.IntN(3)]
	r.Region, r.Node = fmt.Sprint("r", random.IntN(2)), fmt.Sprint("n", random.IntN(5))
	for i := range random.IntN(3) {
		if r.Labels == nil {
			r.Labels = map[string]string{}
		}
		r.Labels[fmt.Sprint("k", i)] = fmt.Sprint("v", random.IntN(3))
	}
	return r
}

// requireModel compares indexes with a map of the same records, in each order.
func requireModel(t *testing.T, model map[string]*Record, x *Indexes) {
	t.Helper()
	sorted := slices.Sorted(maps.Keys(model))
	require.Equal(t, len(sorted), x.Len())
	expect := func(matches func(*Record) bool) (records []*Record) {
		for _, segment := range sorted {
			if r := model[segment]; matches(r) {
				records = append(records, r)
			}
		}
		return records
	}
	collect := func(scan recordRange, after string) (records []*Record) {
		scan(after, func(r *Record) bool {
			records = append(records, r)
			return true
		})
		return records
	}
	requireSame := func(expected, actual []*Record, what any) {
		t.Helper()
		require.True(t, slices.Equal(expected, actual), "%v: %d records instead of %d", what, len(actual), len(expected))
	}
	requireSame(expect(func(*Record) bool { return true }), collect(x.rangeOfPrefix(""), ""), "all")
	requireSame(expect(func(r *Record) bool { return r.DecodeErr != nil }), collect(func(_ string, visit func(*Record) bool) { x.ScanCorrupt(visit) }, ""), "corrupt")
	attributes := map[attribute]bool{{kind: nodeAttribute, value: "none"}: true}
	for _, r := range model {
		require.Same(t, r, x.Get(r.Segment))
		if r.DecodeErr == nil {
			attributesOf(r, func(of attribute) { attributes[of] = true })
		}
	}
	require.Nil(t, x.Get("none"))
	require.Equal(t, len(attributes)-1, x.byAttribute.Len(), "no index without records")
	for of := range attributes {
		matches := expect(func(r *Record) bool { return r.DecodeErr == nil && r.has(of) })
		records, size := x.rangeOf(of)
		require.Equal(t, len(matches), size, "%v", of)
		requireSame(matches, collect(records, ""), of)
		if len(matches) > 1 {
			middle := len(matches) / 2
			requireSame(matches[middle:], collect(records, matches[middle-1].Segment), of)
		}
	}
}

// TestIndexesAgreeWithAMap changes indexes and their clones at random, and compares all of them with
// maps: a change of one must not affect another.
func TestIndexesAgreeWithAMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // reproducible
		type pair struct {
			model map[string]*Record
			x     *Indexes
		}
		pairs := []pair{{map[string]*Record{}, NewIndexes()}}
		for revision := range int64(6000) {
			p := pairs[random.IntN(len(pairs))]
			// Phases that grow the indexes take turns with phases that shrink them.
			segment := fmt.Sprintf("game-%04d", random.IntN(1500))
			if revision < 1000 {
				segment = fmt.Sprintf("game-%04d", revision) // in order
			}
			if isShrinking := revision/1000%2 == 1; isShrinking && random.IntN(10) > 0 {
				require.Same(t, p.model[segment], p.x.remove(segment))
				delete(p.model, segment)
			} else {
				r := modelRecord(segment, revision, random)
				require.Same(t, p.model[segment], p.x.set(r))
				p.model[segment] = r
			}
			if random.IntN(1500) == 0 && len(pairs) < 5 {
				pairs = append(pairs, pair{maps.Clone(p.model), p.x.clone()})
			}
		}
		for _, p := range pairs {
			requireModel(t, p.model, p.x)
			for segment := range maps.Clone(p.model) {
				p.x.remove(segment)
			}
			requireModel(t, nil, p.x)
			require.Nil(t, p.x.byKey.root)
		}
	}
}

// TestPlacesInOrderFillTheirNodes matters for the memory of a cache that was filled from etcd.
func TestPlacesInOrderFillTheirNodes(t *testing.T) {
	t.Parallel()
	var tree placeTree
	by := new(owner)
	const leaves = 50
	for i := range leaves * maxPlaces {
		require.True(t, tree.add(by, &place{segment: fmt.Sprintf("%06d", i)}))
	}
	require.Len(t, tree.root.children, leaves)
}

// TestHintsMayBeWrong makes the hints of two records collide.
func TestHintsMayBeWrong(t *testing.T) {
	t.Parallel()
	c := New(layout.NewKeys("/t"))
	c.Fill(NewIndexes())
	c.live.set(&Record{Segment: "a"})
	c.live.set(&Record{Segment: "b"})
	c.hints.add("a", 1)
	require.Equal(t, "a", c.record("a").Segment)
	require.Equal(t, "b", c.record("b").Segment, "it has no hint")
	second := &Record{Segment: "a"}
	require.Equal(t, "a", c.set(second).Segment)
	require.Same(t, second, c.record("a"))
	c.remove("a")
	require.Nil(t, c.record("a"))
	require.Equal(t, "b", c.record("b").Segment)
	require.Equal(t, 1, c.live.Len())
	require.Equal(t, 1, c.live.count(attribute{kind: statusAttribute}))
}

// FuzzIndexes is TestIndexesAgreeWithAMap for the changes that the fuzzer selects.
func FuzzIndexes(f *testing.F) {
	f.Add([]byte{1, 2, 3, 128, 1, 255, 4})
	f.Fuzz(func(t *testing.T, changes []byte) {
		model, x := map[string]*Record{}, NewIndexes()
		snapshot, before := x.clone(), map[string]*Record{}
		for i, change := range changes {
			segment := fmt.Sprint(change & 63)
			switch {
			case change == 255:
				snapshot, before = x.clone(), maps.Clone(model)
			case change&64 != 0:
				x.remove(segment)
				delete(model, segment)
			default:
				r := modelRecord(segment, int64(i), rand.New(rand.NewPCG(uint64(i), uint64(change)))) //nolint:gosec // reproducible
				x.set(r)
				model[segment] = r
			}
		}
		requireModel(t, model, x)
		requireModel(t, before, snapshot)
	})
}

// TestScanByLabelKeyIsInOrder reads the records with any value of a label in pages.
func TestScanByLabelKeyIsInOrder(t *testing.T) {
	t.Parallel()
	x := NewIndexes()
	for i := range 200 {
		r := &Record{Segment: fmt.Sprintf("%03d", i)}
		if i%4 == 0 {
			r.Labels = map[string]string{"tier": fmt.Sprint(i % 3)}
		}
		x.set(r)
	}
	filter := ports.RecordFilter{Labels: runtime.NewLabelSelector(runtime.LabelRequirement{Key: "tier", Operator: runtime.LabelExists})}
	var segments []string
	x.Scan(&filter, "099", func(r *Record) bool {
		segments = append(segments, r.Segment)
		return true
	})
	require.True(t, slices.IsSorted(segments))
	require.Len(t, segments, 25)
	require.Equal(t, "100", segments[0])
}
