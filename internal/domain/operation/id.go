package operation

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// NewID returns a new operation ID: "op_" and 26 random characters (128 bits).
//
// It identifies a write and is not a secret, so it comes from the generator of the runtime: each
// thread has one, seeded by the operating system, and none waits for another.
func NewID() string {
	const characters = "abcdefghijklmnopqrstuvwxyz234567" // 5 bits each
	id := [3 + 26]byte{'o', 'p', '_'}
	for i, bits := 3, uint64(0); i < len(id); i++ {
		if (i-3)%12 == 0 {
			bits = rand.Uint64()
		}
		id[i] = characters[bits%32]
		bits >>= 5
	}
	return string(id[:])
}

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
