package recordcache

import (
	"strings"

	"github.com/google/btree"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
)

// Indexes are the records at one revision, in several orders. They are copy-on-write
// B-trees: a clone costs nothing until one of the two changes, and then only the path to the
// change is copied.
//
// Indexes may be read concurrently while they are not changed.
type Indexes struct {
	// Revision is the revision that the records are as of.
	Revision int64
	// fill identifies the Fill of the cache that they come from; 0 before it.
	fill int64

	byKey    *btree.BTreeG[*Record] // every key, including corrupt values
	byStatus *btree.BTreeG[*Record]
	byRegion *btree.BTreeG[*Record]
	byNode   *btree.BTreeG[*Record]
	corrupt  *btree.BTreeG[*Record] // the keys whose values cannot be decoded
	byLabel  *btree.BTreeG[labelEntry]
	counts   *btree.BTreeG[attributeCount]
}

// treeDegree makes nodes of about 64 records: large enough to scan fast, and small enough to
// copy for one change.
const treeDegree = 32

// NewIndexes returns indexes without records.
func NewIndexes() *Indexes {
	orderedBy := func(attribute func(*Record) string) *btree.BTreeG[*Record] {
		return btree.NewG(treeDegree, func(a, b *Record) bool {
			if order := strings.Compare(attribute(a), attribute(b)); order != 0 {
				return order < 0
			}
			return a.Segment < b.Segment
		})
	}
	byKey := func(a, b *Record) bool { return a.Segment < b.Segment }
	return &Indexes{
		byKey:    btree.NewG(treeDegree, byKey),
		byStatus: orderedBy(func(r *Record) string { return string(r.Status) }),
		byRegion: orderedBy(func(r *Record) string { return r.Region }),
		byNode:   orderedBy(func(r *Record) string { return r.Node }),
		corrupt:  btree.NewG(treeDegree, byKey),
		byLabel:  newLabelIndex(),
		counts:   newAttributeCounts(),
	}
}

// AddAll decodes records and adds them.
func (x *Indexes) AddAll(keys layout.Keys, kvs []*mvccpb.KeyValue) {
	for _, slab := range newRecords(keys, kvs) {
		for i := range slab {
			x.set(&slab[i])
		}
	}
}

// Len returns the number of records, including corrupt ones.
func (x *Indexes) Len() int { return x.byKey.Len() }

// Get returns the record at the key segment, nil for none.
func (x *Indexes) Get(segment string) *Record {
	r, _ := x.byKey.Get(&Record{Segment: segment})
	return r
}

// clone returns a copy that no later change of x affects. It must not run concurrently with
// a change of x.
func (x *Indexes) clone() *Indexes {
	return &Indexes{
		Revision: x.Revision, fill: x.fill, byKey: x.byKey.Clone(), byStatus: x.byStatus.Clone(),
		byRegion: x.byRegion.Clone(), byNode: x.byNode.Clone(), corrupt: x.corrupt.Clone(),
		byLabel: x.byLabel.Clone(), counts: x.counts.Clone(),
	}
}

// withRevision returns the same records as of a later revision, at which they are unchanged.
func (x *Indexes) withRevision(revision int64) *Indexes {
	copied := *x
	copied.Revision = revision
	return &copied
}

// set puts a record in place of the current one of its key, which it returns.
func (x *Indexes) set(r *Record) (previous *Record) {
	previous, _ = x.byKey.ReplaceOrInsert(r)
	if previous != nil {
		x.removeFromIndexes(previous, r)
	}
	x.addToIndexes(r)
	return previous
}

// remove deletes the record of the key and returns it, nil if there was none.
func (x *Indexes) remove(segment string) (previous *Record) {
	previous, found := x.byKey.Delete(&Record{Segment: segment})
	if found {
		x.removeFromIndexes(previous, nil)
	}
	return previous
}

// addToIndexes adds a record to the trees other than byKey.
func (x *Indexes) addToIndexes(r *Record) {
	if r.DecodeErr != nil {
		x.corrupt.ReplaceOrInsert(r)
		return
	}
	for _, index := range x.attributesOf(r) {
		if _, isReplaced := index.tree.ReplaceOrInsert(r); !isReplaced {
			x.addCount(index.attribute, 1)
		}
	}
	x.addLabels(r)
}

// attributeIndex is the tree of an attribute of a record.
type attributeIndex struct {
	tree *btree.BTreeG[*Record]
	attribute
}

func (x *Indexes) attributesOf(r *Record) [3]attributeIndex {
	return [...]attributeIndex{
		{x.byStatus, attribute{kind: statusAttribute, value: string(r.Status)}},
		{x.byRegion, attribute{kind: regionAttribute, value: r.Region}},
		{x.byNode, attribute{kind: nodeAttribute, value: r.Node}},
	}
}

// removeFromIndexes removes a record from those trees in which the next record of the key,
// nil for none, will not replace it.
func (x *Indexes) removeFromIndexes(previous, next *Record) {
	if previous.DecodeErr != nil {
		x.corrupt.Delete(previous)
		return
	}
	if next != nil && next.DecodeErr != nil {
		next = nil
	}
	for i, index := range x.attributesOf(previous) {
		if next != nil && x.attributesOf(next)[i] == index {
			continue
		}
		index.tree.Delete(previous)
		x.addCount(index.attribute, -1)
	}
	x.removeLabels(previous, next)
}
