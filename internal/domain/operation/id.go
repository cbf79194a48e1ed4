package operation

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// NewID returns a new operation ID: "op_" and 26 random characters (128 bits).
func NewID() string { return "op_" + strings.ToLower(rand.Text()) }

// DeriveID returns the operation ID of one part of the request with the given ID. It depends on
// both only, so a repeated request has the same one.
func DeriveID(id, part string) string {
	sum := sha256.Sum256([]byte(part + "\x00" + id))
	return "op_" + hex.EncodeToString(sum[:16])
}

// IDOfWrite returns the ID of the operation that has written under the ID of the ledger. An operation
// adds a suffix to its ID for each of its writes but the last one.
func IDOfWrite(id string) string {
	for _, suffix := range []string{"/intermediate", "/rollback", "/endpoint"} {
		id = strings.TrimSuffix(id, suffix)
	}
	if i := strings.LastIndex(id, "/attempt-"); i > 0 {
		id = id[:i]
	}
	return id
}
