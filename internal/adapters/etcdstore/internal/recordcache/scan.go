package recordcache

import (
	"slices"
	"strings"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// recordRange calls visit for the records of a part of an index whose segments are after the
// given one, in the order of segments, until visit returns false.
type recordRange func(after string, visit func(*Record) bool)

// scanPlan is a way to find the records that match a filter: every one is in one of the ranges,
// which are disjoint.
type scanPlan struct {
	size   int // number of records in the ranges
	ranges []recordRange
}

const (
	// maxMergedRanges bounds the values of a filter that an index is used for.
	maxMergedRanges = 64
	// mergeBufferSize is how many records of a range are read at a time.
	mergeBufferSize = 64
	// maxPrefixCount bounds how many games of a prefix are counted to choose an index.
	maxPrefixCount = 1024
)

// Scan calls visit for the records after the segment, in the order of their keys, until it
// returns false. It reads the smallest part of an index that contains every match, so the
// caller must check each record.
func (x *Indexes) Scan(filter *ports.RecordFilter, after string, visit func(*Record) bool) {
	ranges := x.plan(filter).ranges
	if len(ranges) == 1 {
		ranges[0](after, visit)
		return
	}
	mergeRanges(ranges, after, visit)
}

// scanUnordered calls visit for the same records as Scan, all of them and in any order.
func (x *Indexes) scanUnordered(filter *ports.RecordFilter, visit func(*Record)) {
	for _, records := range x.plan(filter).ranges {
		records("", func(r *Record) bool {
			visit(r)
			return true
		})
	}
}

// plan returns the smallest plan for the filter.
func (x *Indexes) plan(filter *ports.RecordFilter) scanPlan {
	best := scanPlan{size: x.byKey.Len(), ranges: []recordRange{x.rangeOfPrefix("")}}
	use := func(candidate scanPlan) {
		if candidate.size < best.size && len(candidate.ranges) <= maxMergedRanges {
			best = candidate
		}
	}
	if len(filter.Statuses) > 0 {
		use(planOf(filter.Statuses, x.rangeOfStatus))
	}
	if len(filter.Regions) > 0 {
		use(planOf(filter.Regions, x.rangeOfRegion))
	}
	if len(filter.Nodes) > 0 {
		use(planOf(filter.Nodes, x.rangeOfNode))
	}
	for _, requirement := range filter.Labels.Indexable() {
		use(x.planOfLabel(requirement))
	}
	if prefix := layout.EscapeGameID(filter.GamePrefix); prefix != "" { // ids are escaped byte by byte
		if best.size == x.byKey.Len() || x.countPrefix(prefix, min(best.size, maxPrefixCount)) {
			best = scanPlan{ranges: []recordRange{x.rangeOfPrefix(prefix)}}
		}
	}
	return best
}

// planOf returns the plan that reads the ranges of several values.
func planOf[T ~string](values []T, rangeOf func(T) (recordRange, int)) scanPlan {
	values = slices.Clone(values)
	slices.Sort(values)
	var plan scanPlan
	for _, value := range slices.Compact(values) {
		if records, size := rangeOf(value); size > 0 {
			plan.ranges = append(plan.ranges, records)
			plan.size += size
		}
	}
	return plan
}

// countPrefix reports whether less than limit games have the prefix.
func (x *Indexes) countPrefix(prefix string, limit int) bool {
	count := 0
	x.rangeOfPrefix(prefix)("", func(*Record) bool {
		count++
		return count < limit
	})
	return count < limit
}

func (x *Indexes) rangeOfPrefix(prefix string) recordRange {
	return func(after string, visit func(*Record) bool) {
		x.byKey.ascend(max(prefix, startAfter(after)), func(p *place) bool {
			return strings.HasPrefix(p.segment, prefix) && visit(x.slots.get(p.slot))
		})
	}
}

func (x *Indexes) rangeOfStatus(status runtime.Status) (recordRange, int) {
	return x.rangeOf(attribute{kind: statusAttribute, value: string(status)})
}

func (x *Indexes) rangeOfRegion(region string) (recordRange, int) {
	return x.rangeOf(attribute{kind: regionAttribute, value: region})
}

func (x *Indexes) rangeOfNode(name string) (recordRange, int) {
	return x.rangeOf(attribute{kind: nodeAttribute, value: name})
}

// rangeOf returns the records with the attribute, and their number.
func (x *Indexes) rangeOf(of attribute) (recordRange, int) {
	places := x.placesOf(of)
	if places == nil {
		return func(string, func(*Record) bool) {}, 0
	}
	return func(after string, visit func(*Record) bool) {
		places.ascend(startAfter(after), func(p *place) bool { return visit(x.slots.get(p.slot)) })
	}, places.Len()
}

// planOfLabel returns the plan that reads the records with one of the values of a label, or with any
// value.
func (x *Indexes) planOfLabel(requirement runtime.LabelRequirement) scanPlan {
	key := requirement.Key
	if requirement.Operator == runtime.LabelIn {
		return planOf(requirement.Values, func(value string) (recordRange, int) {
			return x.rangeOf(attribute{labelAttribute, key, value})
		})
	}
	records, size := x.rangeOf(attribute{kind: labelKeyAttribute, key: key})
	return scanPlan{size: size, ranges: []recordRange{records}}
}

// mergeRanges calls visit for the records of all ranges in the order of their segments.
func mergeRanges(ranges []recordRange, after string, visit func(*Record) bool) {
	sources := make([]*mergeSource, len(ranges))
	for i, records := range ranges {
		sources[i] = &mergeSource{records: records, after: after}
	}
	for {
		var next *mergeSource
		for _, source := range sources {
			if head := source.head(); head != nil && (next == nil || head.Segment < next.head().Segment) {
				next = source
			}
		}
		if next == nil || !visit(next.pop()) {
			return
		}
	}
}

// mergeSource reads a range in small parts.
type mergeSource struct {
	records recordRange
	after   string
	buffer  []*Record
	isDone  bool
}

// head returns the next record, nil at the end.
func (s *mergeSource) head() *Record {
	if len(s.buffer) == 0 && !s.isDone {
		s.records(s.after, func(r *Record) bool {
			s.buffer = append(s.buffer, r)
			return len(s.buffer) < mergeBufferSize
		})
		s.isDone = len(s.buffer) < mergeBufferSize
	}
	if len(s.buffer) == 0 {
		return nil
	}
	return s.buffer[0]
}

// pop removes the next record and returns it.
func (s *mergeSource) pop() *Record {
	next := s.head()
	s.buffer, s.after = s.buffer[1:], next.Segment
	return next
}
