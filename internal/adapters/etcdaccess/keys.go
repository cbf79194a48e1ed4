package etcdaccess

import (
	"strings"

	"galaxy/rtmanager/internal/etcd"
)

// keyspace builds every key.
type keyspace struct{ prefix string }

func (k keyspace) policy() string   { return k.prefix + "/access/" }
func (k keyspace) tokens() string   { return k.prefix + "/access/tokens/" }
func (k keyspace) bindings() string { return k.prefix + "/access/bindings/" }
func (k keyspace) uses() string     { return k.prefix + "/access-uses/" }

func (k keyspace) token(name string) string { return k.tokens() + etcd.EscapeSegment(name) }
func (k keyspace) binding(subject string) string {
	return k.bindings() + etcd.EscapeSegment(subject)
}
func (k keyspace) use(name string) string { return k.uses() + etcd.EscapeSegment(name) }

// cutFamily returns the id of a key of the family, and false for any other key.
func cutFamily(key, family string) (id string, isMember bool) {
	segment, isMember := strings.CutPrefix(key, family)
	if !isMember {
		return "", false
	}
	id, err := etcd.UnescapeSegment(segment)
	return id, err == nil
}
