package recordcache

import (
	"cmp"

	"github.com/google/btree"
)

// labelEntry is the place of a record in the index of labels: one for each of its labels.
type labelEntry struct {
	key, value string
	record     *Record
}

func newLabelIndex() *btree.BTreeG[labelEntry] {
	return btree.NewG(treeDegree, func(a, b labelEntry) bool {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value), cmp.Compare(a.record.Segment, b.record.Segment)) < 0
	})
}

// attributeKind is what records are counted by.
type attributeKind byte

const (
	statusAttribute attributeKind = iota
	regionAttribute
	nodeAttribute
	labelAttribute  // a label and its value
	anyOfLabelCount // a label with any value
)

// attribute is a value that records are indexed by. key is that of a label.
type attribute struct {
	kind       attributeKind
	key, value string
}

// attributeCount is the number of records with an attribute. A query compares the numbers to
// find its most selective index.
type attributeCount struct {
	attribute
	records int
}

func newAttributeCounts() *btree.BTreeG[attributeCount] {
	return btree.NewG(treeDegree, func(a, b attributeCount) bool {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value)) < 0
	})
}

// count returns the number of records with the attribute.
func (x *Indexes) count(of attribute) int {
	found, _ := x.counts.Get(attributeCount{attribute: of})
	return found.records
}

// addCount changes the number of records with the attribute.
func (x *Indexes) addCount(of attribute, delta int) {
	if records := x.count(of) + delta; records > 0 {
		x.counts.ReplaceOrInsert(attributeCount{of, records})
	} else {
		x.counts.Delete(attributeCount{attribute: of})
	}
}

// addLabels adds the record to the index of labels.
func (x *Indexes) addLabels(r *Record) {
	for key, value := range r.Labels {
		if _, isReplaced := x.byLabel.ReplaceOrInsert(labelEntry{key, value, r}); !isReplaced {
			x.addCount(attribute{labelAttribute, key, value}, 1)
			x.addCount(attribute{kind: anyOfLabelCount, key: key}, 1)
		}
	}
}

// removeLabels removes a record from the index of labels, except at the places where the next
// record of its key, nil for none, will replace it.
func (x *Indexes) removeLabels(previous, next *Record) {
	for key, value := range previous.Labels {
		if next != nil {
			if kept, isKept := next.Labels[key]; isKept && kept == value {
				continue
			}
		}
		if _, isFound := x.byLabel.Delete(labelEntry{key, value, previous}); isFound {
			x.addCount(attribute{labelAttribute, key, value}, -1)
			x.addCount(attribute{kind: anyOfLabelCount, key: key}, -1)
		}
	}
}
