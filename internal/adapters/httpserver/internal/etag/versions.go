package etag

import (
	"crypto/sha256"
	"encoding/binary"
)

// Versions identifies a sequence of versions of records.
type Versions [sha256.Size]byte

// VersionHash hashes the versions of records in their order. The zero value is the start of a sequence.
type VersionHash struct{ text []byte }

// Add appends the version of a game's record. Several games may have the same revision.
func (h *VersionHash) Add(gameID string, revision int64) {
	h.text = binary.AppendUvarint(h.text, uint64(len(gameID)))
	h.text = append(h.text, gameID...)
	h.text = binary.AppendVarint(h.text, revision)
}

// Sum returns the hash. Sequences that differ in any version, or in their order, have different ones.
func (h *VersionHash) Sum() Versions { return sha256.Sum256(h.text) }
