package etcdmembers

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// keyspace builds every key. Each family is a prefix that ends in a slash, so that no
// family contains another.
type keyspace struct{ prefix string }

func newKeyspace(prefix string) keyspace { return keyspace{etcd.TrimPrefix(prefix)} }

func (k keyspace) nodes() string   { return k.prefix + "/nodes/" }
func (k keyspace) leaders() string { return k.prefix + "/leaders/" }

func (k keyspace) node(region, name string) string {
	return k.nodes() + etcd.EscapeSegment(region) + "/" + etcd.EscapeSegment(name)
}

// knownNodes is the family of the nodes that have ever joined, present or not.
func (k keyspace) knownNodes() string { return k.prefix + "/known-nodes/" }

func (k keyspace) knownNode(ref node.Ref) string {
	return k.knownNodes() + etcd.EscapeSegment(ref.Region) + "/" + etcd.EscapeSegment(ref.Name)
}

func (k keyspace) leader(scope string) string { return k.leaders() + etcd.EscapeSegment(scope) }

// scopeOf returns the scope of a leader's key, and a *runtime.CorruptError for a key that no
// daemon has written.
func (k keyspace) scopeOf(kv *mvccpb.KeyValue) (string, error) {
	key := string(kv.GetKey())
	scope, err := etcd.UnescapeSegment(strings.TrimPrefix(key, k.leaders()))
	if err != nil {
		return "", &runtime.CorruptError{Key: key, Reason: "the key names no region: " + err.Error()}
	}
	return scope, nil
}

// maxNameBytes is the length of the longest name of a region, node or scope.
const maxNameBytes = 256

// validateName returns nil for a name that a key and JSON can contain, and otherwise a
// *runtime.InvalidError on the field.
func validateName(field, name string) error {
	invalid := func(reason string) error { return &runtime.InvalidError{Field: field, Reason: reason} }
	switch {
	case strings.TrimSpace(name) == "":
		return invalid("is empty; set a name")
	case len(name) > maxNameBytes:
		return invalid(fmt.Sprintf("%.32q… has %d bytes; at most %d are allowed", name, len(name), maxNameBytes))
	case !utf8.ValidString(name), strings.ContainsFunc(name, unicode.IsControl):
		return invalid(fmt.Sprintf("%q contains invalid UTF-8 or a control character", name))
	}
	return nil
}
