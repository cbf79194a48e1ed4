package recordcache

import "hash/maphash"

// slotHints lead from a key segment to the slot of its record, in less memory and time than a
// search. They have only a part of the segment's hash: a hint can be that of another record, and may
// be missing for a segment whose hint another one has replaced.
type slotHints struct {
	seed  maphash.Seed
	slots map[uint32]uint32
}

// newSlotHints returns hints for the number of records.
func newSlotHints(records int) slotHints {
	return slotHints{maphash.MakeSeed(), make(map[uint32]uint32, records)}
}

func (h slotHints) hash(segment string) uint32 { return uint32(maphash.String(h.seed, segment)) } //nolint:gosec // a part is enough

func (h slotHints) add(segment string, slot uint32) { h.slots[h.hash(segment)] = slot }

func (h slotHints) remove(segment string) { delete(h.slots, h.hash(segment)) }

// find returns the record of the segment and its slot, nil if the hints do not lead to it: it may exist
// nevertheless.
func (h slotHints) find(segment string, records *recordSlots) (uint32, *Record) {
	slot, isKnown := h.slots[h.hash(segment)]
	if !isKnown {
		return 0, nil
	}
	if r := records.get(slot); r != nil && r.Segment == segment {
		return slot, r
	}
	return 0, nil
}
