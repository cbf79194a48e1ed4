package etcdstore

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/google/btree"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// entry is what etcd holds under one record's key, read. It is never changed
// once it is made, so everybody may look at it.
type entry struct {
	layout.Record

	segment string                // the key without its family, which is what keys are ordered by
	fault   *runtime.CorruptError // why the value cannot be read; current is empty then
	bytes   int                   // about what it takes of memory
	// stamps are what the record's optional instants point to: with them beside the
	// record, who copies it need not look elsewhere.
	stamps [3]time.Time
}

// entryOverhead is about what an entry takes beyond the text it holds: itself,
// its instants and its places in the trees.
const entryOverhead = 600

// newEntry reads a record's key and value into memory of its own.
func newEntry(k layout.Keys, kv *mvccpb.KeyValue) *entry {
	e := new(entry)
	readEntry(k, kv, e)
	return e
}

// readEntry is newEntry into an entry that is there already.
func readEntry(k layout.Keys, kv *mvccpb.KeyValue, e *entry) {
	e.segment, e.bytes = string(kv.GetKey())[len(k.Records()):], entryOverhead+len(kv.GetValue())
	rec, err := k.DecodeRecord(kv)
	if fault, corrupt := errors.AsType[*runtime.CorruptError](err); corrupt {
		e.fault, e.ModRevision = fault, kv.GetModRevision()
		return
	}
	e.Record = *rec
	e.share()
	for i, at := range []**time.Time{&e.StartedAt, &e.StoppedAt, &e.RemovedAt} {
		if *at != nil {
			e.stamps[i] = **at
			*at = &e.stamps[i]
		}
	}
}

// entriesTogether is how many entries a filled cache has in one piece of memory,
// in the order of their keys: a list then walks memory instead of jumping about
// in it, and the garbage collector has fewer things to look at. A piece lives for
// as long as any of its entries stands.
const entriesTogether = 64

// newEntries reads many records.
func newEntries(k layout.Keys, kvs []*mvccpb.KeyValue, each func(*entry)) {
	for piece := range slices.Chunk(kvs, entriesTogether) {
		entries := make([]entry, len(piece))
		for i, kv := range piece {
			readEntry(k, kv, &entries[i])
			each(&entries[i])
		}
	}
}

// share lets an entry's words that many records have in common be kept once.
func (e *entry) share() {
	if e.segment == e.GameID {
		e.segment = e.GameID
	}
	for _, word := range []*string{&e.Region, &e.Node, &e.CurrentImageRef, &e.DockerNetwork, (*string)(&e.Status), (*string)(&e.LastWrite.Kind)} {
		*word = unique.Make(*word).Value()
	}
}

// trees are the records as of one revision, in the orders that are asked for:
// B-trees that copy on write, so that a copy costs nothing until one of the two
// changes, and then only the path to what changed.
type trees struct {
	revision int64
	byKey    *btree.BTreeG[*entry] // every key, damaged ones too
	byStatus *btree.BTreeG[*entry]
	byRegion *btree.BTreeG[*entry]
	byNode   *btree.BTreeG[*entry]
	damaged  *btree.BTreeG[*entry] // the keys whose values cannot be read
}

// treeDegree makes nodes of some 64 entries: wide enough to be quick to scan, and
// small enough to be copied for one change.
const treeDegree = 32

func newTrees(revision int64) *trees {
	ordered := func(facet func(*entry) string) *btree.BTreeG[*entry] {
		return btree.NewG(treeDegree, func(a, b *entry) bool {
			if order := strings.Compare(facet(a), facet(b)); order != 0 {
				return order < 0
			}
			return a.segment < b.segment
		})
	}
	byKey := func(a, b *entry) bool { return a.segment < b.segment }
	return &trees{
		revision: revision,
		byKey:    btree.NewG(treeDegree, byKey),
		byStatus: ordered(func(e *entry) string { return string(e.Status) }),
		byRegion: ordered(func(e *entry) string { return e.Region }),
		byNode:   ordered(func(e *entry) string { return e.Node }),
		damaged:  btree.NewG(treeDegree, byKey),
	}
}

// clone returns the trees as they are, which nobody will change any more. It
// must not run beside a change of t, but reading either may.
func (t *trees) clone() *trees {
	return &trees{
		revision: t.revision, byKey: t.byKey.Clone(), byStatus: t.byStatus.Clone(),
		byRegion: t.byRegion.Clone(), byNode: t.byNode.Clone(), damaged: t.damaged.Clone(),
	}
}

// at returns the same records as of a revision at which they still stood.
func (t *trees) at(revision int64) *trees {
	moved := *t
	moved.revision = revision
	return &moved
}

// get returns what stands at the key, nil for nothing.
func (t *trees) get(segment string) *entry {
	e, _ := t.byKey.Get(&entry{segment: segment})
	return e
}

// set puts an entry in the place of its key's present one, which it returns.
func (t *trees) set(e *entry) (before *entry) {
	before, _ = t.byKey.ReplaceOrInsert(e)
	if before != nil {
		t.unlist(before, e)
	}
	for _, tree := range t.listing(e) {
		tree.ReplaceOrInsert(e)
	}
	return before
}

// remove takes the key's entry away and returns it, nil if there was none.
func (t *trees) remove(segment string) (before *entry) {
	before, found := t.byKey.Delete(&entry{segment: segment})
	if found {
		t.unlist(before, nil)
	}
	return before
}

// listing returns the trees beside byKey that hold an entry.
func (t *trees) listing(e *entry) []*btree.BTreeG[*entry] {
	if e.fault != nil {
		return []*btree.BTreeG[*entry]{t.damaged}
	}
	return []*btree.BTreeG[*entry]{t.byStatus, t.byRegion, t.byNode}
}

// unlist takes an entry out of those trees where its successor will not take its
// place anyway.
func (t *trees) unlist(before, successor *entry) {
	if successor == nil || before.fault != nil || successor.fault != nil {
		for _, tree := range t.listing(before) {
			tree.Delete(before)
		}
		return
	}
	if before.Status != successor.Status {
		t.byStatus.Delete(before)
	}
	if before.Region != successor.Region {
		t.byRegion.Delete(before)
	}
	if before.Node != successor.Node {
		t.byNode.Delete(before)
	}
}

// page returns one page of the records that match the query, as ListPage does.
// Whether a damaged value would match nobody knows, so every query names those
// that it passes.
func (t *trees) page(query ports.PageQuery) ports.Page {
	page := ports.Page{Revision: t.revision, Records: []runtime.VersionedRecord{}}
	filter := ports.WatchOptions{Status: query.Status, Region: query.Region, Node: query.Node}
	last := ""
	t.ascend(query, func(e *entry) bool {
		switch {
		case e.fault != nil || !filter.Matches(e.RuntimeRecord):
		case len(page.Records) == query.Limit:
			page.Next = last
			return false
		default:
			page.Records = append(page.Records, e.Versioned())
		}
		last = e.segment
		return true
	})
	t.damaged.AscendGreaterOrEqual(&entry{segment: behind(query.After)}, func(e *entry) bool {
		if page.Next != "" && e.segment > page.Next {
			return false
		}
		page.Corrupt = append(page.Corrupt, e.corrupt())
		return true
	})
	return page
}

// ascend calls each for the entries behind query.After that the narrowest tree
// has to offer for the query, in the order of their keys, until it returns false.
func (t *trees) ascend(query ports.PageQuery, each func(*entry) bool) {
	pivot := &entry{segment: behind(query.After)}
	switch {
	case query.Node != "":
		pivot.Node = query.Node
		t.byNode.AscendGreaterOrEqual(pivot, func(e *entry) bool { return e.Node == query.Node && each(e) })
	case query.Status != "":
		pivot.Status = query.Status
		t.byStatus.AscendGreaterOrEqual(pivot, func(e *entry) bool { return e.Status == query.Status && each(e) })
	case query.Region != "":
		pivot.Region = query.Region
		t.byRegion.AscendGreaterOrEqual(pivot, func(e *entry) bool { return e.Region == query.Region && each(e) })
	default:
		t.byKey.AscendGreaterOrEqual(pivot, each)
	}
}

// behind returns the first segment behind one that a list has dealt with.
func behind(segment string) string {
	if segment == "" {
		return ""
	}
	return etcd.KeyAfter(segment)
}

// list returns every record under the status, or all for none, and the damaged
// values.
func (t *trees) list(status runtime.Status) (records []runtime.RuntimeRecord, faults []error) {
	records = []runtime.RuntimeRecord{}
	var instants instants
	if status == "" {
		records = make([]runtime.RuntimeRecord, 0, t.byKey.Len())
	}
	t.ascend(ports.PageQuery{Status: status}, func(e *entry) bool {
		if e.fault == nil {
			records = append(records, instants.clone(e.RuntimeRecord))
		}
		return true
	})
	t.damaged.Ascend(func(e *entry) bool {
		faults = append(faults, e.corrupt())
		return true
	})
	return records, faults
}

// instants makes copies of records whose instants share some memory with each other,
// and none with the records copied: a list would else be mostly small allocations.
type instants struct{ free []time.Time }

func (s *instants) clone(rec runtime.RuntimeRecord) runtime.RuntimeRecord {
	rec.StartedAt, rec.StoppedAt, rec.RemovedAt = s.copy(rec.StartedAt), s.copy(rec.StoppedAt), s.copy(rec.RemovedAt)
	return rec
}

func (s *instants) copy(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	if len(s.free) == 0 {
		s.free = make([]time.Time, 128)
	}
	own := &s.free[0]
	s.free = s.free[1:]
	*own = *at
	return own
}

// corrupt is the fault of a damaged entry, for the caller to keep.
func (e *entry) corrupt() *runtime.CorruptError {
	own := *e.fault
	return &own
}

// same reports whether two entries were read from one and the same write.
func (e *entry) same(other *entry) bool {
	return e.ModRevision == other.ModRevision && (e.fault == nil) == (other.fault == nil) &&
		e.CreateRevision == other.CreateRevision && e.LastWrite == other.LastWrite && e.Equal(other.RuntimeRecord) &&
		string(e.Unknown) == string(other.Unknown)
}
