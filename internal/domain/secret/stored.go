package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Metadata describes a secret without its values.
type Metadata struct {
	Name string
	// Version counts the writes of the secret, from 1. Re-wrapping is no write.
	Version int64
	// Keys are the names of the values, in order.
	Keys []string
	// Games are the patterns of the games that may use the secret; empty permits all.
	Games []string
	// KeyID is the id of the key-encryption key that wraps the data key.
	KeyID string
	// CreatedAt and UpdatedAt are times of the daemon that wrote the secret.
	CreatedAt, UpdatedAt time.Time
	// UpdatedBy is the actor of the last write; it may be empty.
	UpdatedBy string
}

// Encrypted is a secret as a store keeps it.
type Encrypted struct {
	Metadata

	// WrappedKey is the data key, encrypted with the key-encryption key KeyID. Rotation
	// replaces both.
	WrappedKey []byte
	// Ciphertext has the values, encrypted with the data key.
	Ciphertext []byte
}

// Fingerprint identifies one write of a secret. Each write has a data key of its own, so no
// two ciphertexts are equal; rotation keeps the ciphertext.
func (e Encrypted) Fingerprint() string {
	sum := sha256.Sum256(e.Ciphertext)
	return hex.EncodeToString(sum[:8])
}

// Rotation is the result of wrapping the data keys of all secrets with the newest key.
type Rotation struct {
	KeyID     string // of the newest key
	Rewrapped int    // secrets that have changed to that key
	Current   int    // secrets that had that key before, or were deleted in the meantime
	// Failed are the secrets that keep their key, with the reasons.
	Failed []RotationFailure
}

// RotationFailure is one secret that could not be re-wrapped.
type RotationFailure struct{ Name, Reason string }
