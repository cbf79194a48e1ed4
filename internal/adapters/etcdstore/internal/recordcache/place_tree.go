package recordcache

import (
	"slices"
	"strings"
)

// owner identifies the Indexes that may change a node in place. A node with another owner is
// shared with a clone, and copied before it is changed.
type owner struct{ _ byte }

// place is where Indexes keep the record of a key. It does not change while the key exists, so
// an index of places stays as it is when only the record changes.
type place struct {
	segment string
	slot    uint32 // the record, in recordSlots
}

// maxPlaces bounds the places of a node: large enough to scan fast, and small enough to copy for
// one change.
const maxPlaces = 64

// placeTree is a set of places in the order of their segments, a B+ tree. A copy of the struct is a
// copy of the set, as long as changes of one of them have a new owner. Places that are added in
// ascending order fill its nodes completely.
type placeTree struct {
	root   *placeNode // nil if the set is empty
	length int
}

// placeNode is a leaf, or has children. Then places has a lower bound of each child: every place of
// the child is at or after it. That of the first child is not used.
type placeNode struct {
	owner    *owner
	places   []*place
	children []*placeNode
}

// Len returns the number of places.
func (t *placeTree) Len() int { return t.length }

// get returns the place of the segment, nil for none.
func (t *placeTree) get(segment string) *place {
	n := t.root
	for n != nil && n.children != nil {
		n = n.children[n.childOf(segment)]
	}
	if n == nil {
		return nil
	}
	if i := countUpTo(n.places, segment); i > 0 && n.places[i-1].segment == segment {
		return n.places[i-1]
	}
	return nil
}

// ascend calls visit for the places from the segment on, until it returns false.
func (t *placeTree) ascend(from string, visit func(*place) bool) {
	if t.root != nil {
		t.root.ascend(from, visit)
	}
}

// add adds a place unless the set has one of its segment, and reports whether it did.
func (t *placeTree) add(by *owner, p *place) bool {
	if t.root == nil {
		t.root, t.length = &placeNode{owner: by, places: []*place{p}}, 1
		return true
	}
	if t.get(p.segment) != nil {
		return false
	}
	t.root = t.root.ownedBy(by)
	if right := t.root.add(p); right != nil {
		t.root = &placeNode{owner: by, places: []*place{t.root.places[0], right.places[0]}, children: []*placeNode{t.root, right}}
	}
	t.length++
	return true
}

// remove removes the place of the segment, and returns it, nil if there was none.
func (t *placeTree) remove(by *owner, segment string) *place {
	p := t.get(segment)
	if p == nil {
		return nil
	}
	t.length--
	if t.length == 0 {
		t.root = nil
		return p
	}
	t.root = t.root.ownedBy(by)
	t.root.remove(segment)
	for len(t.root.children) == 1 {
		t.root = t.root.children[0]
	}
	return p
}

// countUpTo returns the number of places at or before the segment. They are in order.
func countUpTo(places []*place, segment string) int {
	if last := len(places) - 1; last >= 0 && places[last].segment <= segment {
		return last + 1 // places are often added in ascending order
	}
	i, isFound := slices.BinarySearchFunc(places, segment, func(p *place, segment string) int { return strings.Compare(p.segment, segment) })
	if isFound {
		i++
	}
	return i
}

// childOf returns the index of the child whose part contains the segment. The bound of the first
// child is left out: it can be after that of the next one, since the first child also receives
// all places before it.
func (n *placeNode) childOf(segment string) int { return countUpTo(n.places[1:], segment) }

func (n *placeNode) ascend(from string, visit func(*place) bool) bool {
	if n.children == nil {
		start := countUpTo(n.places, from)
		if start > 0 && n.places[start-1].segment == from {
			start--
		}
		for _, p := range n.places[start:] {
			if !visit(p) {
				return false
			}
		}
		return true
	}
	for i := n.childOf(from); i < len(n.children); i++ {
		if !n.children[i].ascend(from, visit) {
			return false
		}
	}
	return true
}

// ownedBy returns the node if it has the owner, and otherwise a copy that has it.
func (n *placeNode) ownedBy(by *owner) *placeNode {
	if n.owner == by {
		return n
	}
	return &placeNode{owner: by, places: slices.Clone(n.places), children: slices.Clone(n.children)}
}

// ownedChild makes the child one of the same owner, and returns it.
func (n *placeNode) ownedChild(i int) *placeNode {
	n.children[i] = n.children[i].ownedBy(n.owner)
	return n.children[i]
}

// add adds a place that the node does not have. If the node is full, it returns a new one that takes
// its right part.
func (n *placeNode) add(p *place) (right *placeNode) {
	if n.children == nil {
		return n.insert(countUpTo(n.places, p.segment), p, nil)
	}
	i := n.childOf(p.segment)
	if split := n.ownedChild(i).add(p); split != nil {
		return n.insert(i+1, split.places[0], split)
	}
	return nil
}

// insert inserts a place, and a child unless it is nil. If the node is full, it returns a new one that
// takes its right part: only what is inserted if that is at the end.
func (n *placeNode) insert(i int, p *place, child *placeNode) (right *placeNode) {
	into := n
	if len(n.places) == maxPlaces {
		at := maxPlaces / 2
		if i == maxPlaces {
			at = i
		}
		right = &placeNode{owner: n.owner, places: append(make([]*place, 0, maxPlaces), n.places[at:]...)}
		n.places = slices.Delete(n.places, at, maxPlaces)
		if n.children != nil {
			right.children = append(make([]*placeNode, 0, maxPlaces), n.children[at:]...)
			n.children = slices.Delete(n.children, at, maxPlaces)
		}
		if i > at || at == maxPlaces {
			into, i = right, i-at
		}
	}
	into.places = slices.Insert(into.places, i, p)
	if child != nil {
		into.children = slices.Insert(into.children, i, child)
	}
	return right
}

// remove removes the place of a segment that the node has.
func (n *placeNode) remove(segment string) {
	if n.children == nil {
		i := countUpTo(n.places, segment)
		n.places = slices.Delete(n.places, i-1, i)
		return
	}
	i := n.childOf(segment)
	child := n.ownedChild(i)
	child.remove(segment)
	switch size := len(child.places); {
	case size == 0:
		n.places, n.children = slices.Delete(n.places, i, i+1), slices.Delete(n.children, i, i+1)
	case size < maxPlaces/4 && i > 0:
		n.merge(i - 1)
	case size < maxPlaces/4 && i+1 < len(n.children):
		n.merge(i)
	}
}

// merge adds the next child to the one with the index if both are small.
func (n *placeNode) merge(i int) {
	next := n.children[i+1]
	if len(n.children[i].places)+len(next.places) > maxPlaces/2 {
		return
	}
	child := n.ownedChild(i)
	if child.children != nil {
		// The bound of the first child of a node may be too high; that of the node is not.
		child.children = append(child.children, next.children...)
		child.places = append(child.places, n.places[i+1])
		child.places = append(child.places, next.places[1:]...)
	} else {
		child.places = append(child.places, next.places...)
	}
	n.places, n.children = slices.Delete(n.places, i+1, i+2), slices.Delete(n.children, i+1, i+2)
}
