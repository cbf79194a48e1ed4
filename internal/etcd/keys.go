package etcd

import (
	"fmt"
	"net/url"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// TrimPrefix returns the prefix of a keyspace without its trailing slashes, so that a
// family of keys can be appended to it.
func TrimPrefix(prefix string) string { return strings.TrimRight(prefix, "/") }

// EscapeSegment escapes an id to one printable path segment. Different ids have different
// segments, because percent-encoding is injective.
func EscapeSegment(id string) string { return url.PathEscape(id) }

// UnescapeSegment returns the id of a segment of EscapeSegment, and an error for any other
// segment.
func UnescapeSegment(segment string) (string, error) {
	id, err := url.PathUnescape(segment)
	if err != nil || EscapeSegment(id) != segment {
		return "", fmt.Errorf("%q is not an escaped path segment", segment)
	}
	return id, nil
}

// KeyAfter returns the smallest key that sorts after key.
func KeyAfter(key string) string { return key + "\x00" }

// PrefixEnd returns the first key after every key that starts with prefix.
func PrefixEnd(prefix string) string { return clientv3.GetPrefixRangeEnd(prefix) }

// SecretsPrefix returns the prefix of all secrets of the store with the prefix.
func SecretsPrefix(prefix string) string { return TrimPrefix(prefix) + "/secrets/" }

// SecretKey returns the key of a secret. The deletion of a game uses it as well: it deletes the
// secret that belongs to the game.
func SecretKey(prefix, name string) string { return SecretsPrefix(prefix) + EscapeSegment(name) }
