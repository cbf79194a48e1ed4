package node

import (
	"fmt"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Ref names a node. A name is unique within its region. The zero Ref names no node.
type Ref struct {
	Region string `json:"region"`
	Name   string `json:"node"`
}

// RefOf returns the node that the record places its game on, and the zero Ref if it names
// none.
func RefOf(record runtime.RuntimeRecord) Ref { return Ref{record.Region, record.Node} }

// String returns REGION/NODE.
func (r Ref) String() string { return r.Region + "/" + r.Name }

// ParseRef parses REGION/NODE. It returns an error if the text has not exactly two parts.
func ParseRef(text string) (Ref, error) {
	region, name, _ := strings.Cut(text, "/")
	if region == "" || name == "" || strings.Contains(name, "/") {
		return Ref{}, fmt.Errorf("%q is not REGION/NODE, such as eu/eu-1", text)
	}
	return Ref{Region: region, Name: name}, nil
}

// IsZero reports whether r names no node.
func (r Ref) IsZero() bool { return r == Ref{} }

// Ref returns the name of the node.
func (n Node) Ref() Ref { return Ref{n.Region, n.Name} }

// Find returns the node of the name, and false if nodes does not contain it.
func Find(nodes []Node, ref Ref) (Node, bool) {
	for _, n := range nodes {
		if n.Ref() == ref {
			return n, true
		}
	}
	return Node{}, false
}
