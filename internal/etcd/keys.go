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

// EscapeSegment makes an id one printable path segment. Percent-encoding is injective, so
// that no two ids share a key.
func EscapeSegment(id string) string { return url.PathEscape(id) }

// UnescapeSegment returns the id that EscapeSegment made the segment from, and an error
// for a segment that it did not make.
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
