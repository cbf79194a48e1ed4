package recordcache

import (
	"cmp"
	"maps"

	"github.com/google/btree"
)

// attributeKind is what records are indexed by.
type attributeKind byte

const (
	statusAttribute attributeKind = iota
	regionAttribute
	nodeAttribute
	labelAttribute    // a label and its value
	labelKeyAttribute // a label with any value
)

// attribute is a value that records are indexed by. key is that of a label.
type attribute struct {
	kind       attributeKind
	key, value string
}

// attributeIndex is the records with an attribute.
type attributeIndex struct {
	attribute
	owner  *owner
	places placeTree
}

func newAttributeIndexes() *btree.BTreeG[*attributeIndex] {
	return btree.NewG(treeDegree, func(a, b *attributeIndex) bool {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value)) < 0
	})
}

// attributesOf calls visit for each attribute of a record.
func attributesOf(r *Record, visit func(attribute)) {
	visit(attribute{kind: statusAttribute, value: string(r.Status)})
	visit(attribute{kind: regionAttribute, value: r.Region})
	visit(attribute{kind: nodeAttribute, value: r.Node})
	for key, value := range r.Labels {
		visit(attribute{labelAttribute, key, value})
		visit(attribute{kind: labelKeyAttribute, key: key})
	}
}

// has reports whether the record has the attribute.
func (r *Record) has(of attribute) bool {
	switch of.kind {
	case statusAttribute:
		return string(r.Status) == of.value
	case regionAttribute:
		return r.Region == of.value
	case nodeAttribute:
		return r.Node == of.value
	default:
		value, isSet := r.Labels[of.key]
		return isSet && (of.kind == labelKeyAttribute || value == of.value)
	}
}

// hasAttributesOf reports whether both records have the same attributes.
func (r *Record) hasAttributesOf(other *Record) bool {
	return r.Status == other.Status && r.Region == other.Region && r.Node == other.Node && maps.Equal(r.Labels, other.Labels)
}

// placesOf returns the places of the records with the attribute, nil for none.
func (x *Indexes) placesOf(of attribute) *placeTree {
	if index, isFound := x.byAttribute.Get(&attributeIndex{attribute: of}); isFound {
		return &index.places
	}
	return nil
}

// count returns the number of records with the attribute.
func (x *Indexes) count(of attribute) int {
	if places := x.placesOf(of); places != nil {
		return places.Len()
	}
	return 0
}

// addToAttribute adds a place to the index of an attribute.
func (x *Indexes) addToAttribute(of attribute, p *place) {
	x.ownedAttribute(of).places.add(x.owner, p)
}

// removeFromAttribute removes a place from the index of an attribute, and an index that has no other one.
func (x *Indexes) removeFromAttribute(of attribute, p *place) {
	index := x.ownedAttribute(of)
	index.places.remove(x.owner, p.segment)
	if index.places.Len() == 0 {
		x.byAttribute.Delete(index)
	}
}

// ownedAttribute returns the index of an attribute, which x may change.
func (x *Indexes) ownedAttribute(of attribute) *attributeIndex {
	index, isFound := x.byAttribute.Get(&attributeIndex{attribute: of})
	if isFound && index.owner == x.owner {
		return index
	}
	owned := &attributeIndex{attribute: of, owner: x.owner}
	if isFound {
		owned.places = index.places
	}
	x.byAttribute.ReplaceOrInsert(owned)
	return owned
}
