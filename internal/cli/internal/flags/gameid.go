package flags

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxPlainIDBytes is the length of the longest id that GameOperationID keeps. A daemon accepts 96 bytes for an
// operation; the suffix of the game has 13 of them, and a command that writes several parts of a game adds up to 9.
const maxPlainIDBytes = 96 - 13 - 9

// GameOperationID returns the operation id of the write to one of several games, for an id that the user gave. Ids of
// different games differ, as do those of different given ids. A given id that leaves no space for the suffix of the
// game is replaced by its start and a hash.
func GameOperationID(id, gameID string) string {
	const hashBytes = 16
	if len(id) > maxPlainIDBytes {
		start := strings.ToValidUTF8(id[:maxPlainIDBytes-1-2*hashBytes], "")
		id = start + "-" + hexHash(id, hashBytes)
	}
	return id + "-" + hexHash(gameID, 6)
}

// hexHash returns the first bytes of the SHA-256 of a text, as hexadecimal digits.
func hexHash(text string, bytes int) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:bytes])
}
