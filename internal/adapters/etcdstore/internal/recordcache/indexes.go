package recordcache

import (
	"github.com/google/btree"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
)

// Indexes are the records at one revision, in several orders. They are copy-on-write
// trees: a clone costs nothing until one of the two changes, and then only the path to the
// change is copied.
//
// The orders contain the places of records, and a place leads to the record. So a new
// record with the same attributes changes none of them.
//
// Indexes may be read concurrently while they are not changed.
type Indexes struct {
	// Revision is the revision that the records are as of.
	Revision int64
	// fill identifies the Fill of the cache that they come from; 0 before it.
	fill int64
	// owner is that of the nodes that no clone shares.
	owner *owner

	slots       recordSlots
	byKey       *placeTree // every key, including corrupt values
	byAttribute *btree.BTreeG[*attributeIndex]
	corrupt     *btree.BTreeG[*Record] // the keys whose values cannot be decoded

	spare []place // for the next places
}

// treeDegree makes nodes of about 64 elements.
const treeDegree = 32

// NewIndexes returns indexes without records.
func NewIndexes() *Indexes {
	return &Indexes{
		owner: new(owner), byKey: new(placeTree), byAttribute: newAttributeIndexes(),
		corrupt: btree.NewG(treeDegree, func(a, b *Record) bool { return a.Segment < b.Segment }),
	}
}

// AddAll decodes records and adds them. It is fastest if they are in order and after those added
// before.
func (x *Indexes) AddAll(keys layout.Keys, kvs []*mvccpb.KeyValue) {
	x.spare = make([]place, len(kvs))
	for _, slab := range newRecords(keys, kvs) {
		for i := range slab {
			x.set(&slab[i])
		}
	}
	x.spare = nil
}

// Len returns the number of records, including corrupt ones.
func (x *Indexes) Len() int { return x.byKey.Len() }

// Get returns the record at the key segment, nil for none.
func (x *Indexes) Get(segment string) *Record {
	if p := x.byKey.get(segment); p != nil {
		return x.slots.get(p.slot)
	}
	return nil
}

// clone returns a copy that no later change of x affects. It must not run concurrently with
// a change of x.
func (x *Indexes) clone() *Indexes {
	x.owner = new(owner)
	copied, byKey := *x, *x.byKey
	copied.owner, copied.byKey = new(owner), &byKey
	copied.byAttribute, copied.corrupt = x.byAttribute.Clone(), x.corrupt.Clone()
	return &copied
}

// withRevision returns the same records as of a later revision, at which they are unchanged.
func (x *Indexes) withRevision(revision int64) *Indexes {
	copied := *x
	copied.Revision = revision
	return &copied
}

// set puts a record in place of the current one of its key, which it returns.
func (x *Indexes) set(r *Record) (previous *Record) {
	previous, _ = x.put(r)
	return previous
}

// put is set, and also returns the slot of the record.
func (x *Indexes) put(r *Record) (previous *Record, slot uint32) {
	p := x.byKey.get(r.Segment)
	if p != nil {
		previous = x.slots.get(p.slot)
		x.replace(p.slot, previous, r)
		return previous, p.slot
	}
	p = x.newPlace()
	p.segment, p.slot = r.Segment, x.slots.add(x.owner, r)
	x.byKey.add(x.owner, p)
	x.index(p, nil, r)
	return nil, p.slot
}

// replace puts a record in place of the previous one of its key, which has the slot.
func (x *Indexes) replace(slot uint32, previous, r *Record) {
	x.slots.set(x.owner, slot, r)
	if previous.DecodeErr != nil || r.DecodeErr != nil || !r.hasAttributesOf(previous) {
		x.index(x.byKey.get(r.Segment), previous, r)
	}
}

// remove deletes the record of the key and returns it, nil if there was none.
func (x *Indexes) remove(segment string) (previous *Record) {
	p := x.byKey.remove(x.owner, segment)
	if p == nil {
		return nil
	}
	previous = x.slots.get(p.slot)
	x.slots.remove(x.owner, p.slot)
	x.index(p, previous, nil)
	return previous
}

func (x *Indexes) newPlace() *place {
	if len(x.spare) == 0 {
		return new(place)
	}
	p := &x.spare[0]
	x.spare = x.spare[1:]
	return p
}

// index moves a place from the indexes of the previous record to those of the next one. Either may be
// nil.
func (x *Indexes) index(p *place, previous, next *Record) {
	if previous != nil && previous.DecodeErr != nil {
		x.corrupt.Delete(previous)
		previous = nil
	}
	if next != nil && next.DecodeErr != nil {
		x.corrupt.ReplaceOrInsert(next)
		next = nil
	}
	if previous != nil {
		attributesOf(previous, func(of attribute) {
			if next == nil || !next.has(of) {
				x.removeFromAttribute(of, p)
			}
		})
	}
	if next != nil {
		attributesOf(next, func(of attribute) {
			if previous == nil || !previous.has(of) {
				x.addToAttribute(of, p)
			}
		})
	}
}
