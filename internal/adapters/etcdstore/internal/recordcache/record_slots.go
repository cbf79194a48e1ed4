package recordcache

import "slices"

// slotBits is the logarithm of the number of children of a node of recordSlots.
const slotBits, slotMask = 6, 1<<6 - 1

// recordSlots are records by numbers, a radix tree. A copy of the struct is a copy of them, as
// long as changes of one of them have a new owner. To replace a record costs the nodes above it at
// most, and compares no keys.
type recordSlots struct {
	root   *slotNode
	height int    // of the root; 0 for a node of records
	size   uint32 // numbers that were ever used
	free   *freeSlot
}

// slotNode has children, or records if its height is 0.
type slotNode struct {
	owner    *owner
	children []*slotNode
	records  []*Record
}

// freeSlot is a list of unused numbers. It does not change, so that copies can share it.
type freeSlot struct {
	slot uint32
	next *freeSlot
}

// get returns the record with the number, nil for none.
func (s *recordSlots) get(slot uint32) *Record {
	if slot >= s.size {
		return nil
	}
	n := s.root
	for shift := s.height * slotBits; shift > 0; shift -= slotBits {
		n = n.children[slot>>shift&slotMask]
	}
	return n.records[slot&slotMask]
}

// add stores a record and returns its number.
func (s *recordSlots) add(by *owner, r *Record) uint32 {
	slot := s.size
	if s.free != nil {
		slot, s.free = s.free.slot, s.free.next
	} else {
		s.size++
	}
	s.set(by, slot, r)
	return slot
}

// remove makes the number free.
func (s *recordSlots) remove(by *owner, slot uint32) {
	s.set(by, slot, nil)
	s.free = &freeSlot{slot, s.free}
}

// set replaces the record with the number.
func (s *recordSlots) set(by *owner, slot uint32, r *Record) {
	for uint64(slot) >= 1<<((s.height+1)*slotBits) {
		root := newSlotNode(by, s.height+1)
		root.children[0] = s.root
		s.root = root
		s.height++
	}
	s.root = s.root.set(by, s.height, slot, r)
}

func newSlotNode(by *owner, height int) *slotNode {
	if height == 0 {
		return &slotNode{owner: by, records: make([]*Record, 1<<slotBits)}
	}
	return &slotNode{owner: by, children: make([]*slotNode, 1<<slotBits)}
}

func (n *slotNode) set(by *owner, height int, slot uint32, r *Record) *slotNode {
	switch {
	case n == nil:
		n = newSlotNode(by, height)
	case n.owner != by:
		n = &slotNode{owner: by, children: slices.Clone(n.children), records: slices.Clone(n.records)}
	}
	if height == 0 {
		n.records[slot&slotMask] = r
		return n
	}
	child := &n.children[slot>>(height*slotBits)&slotMask]
	*child = (*child).set(by, height-1, slot, r)
	return n
}
