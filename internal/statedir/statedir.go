// Package statedir names the directory that holds the state of a game on a node. The
// directory outlives the containers of the game.
package statedir

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxNameBytes is the maximum length of a name without a digest, less than the 255 bytes
// that file systems allow.
const maxNameBytes = 200

// Name returns the directory name of the game. Different games have different names, and no
// name leads to another directory. The name is the game id. Every byte except letters,
// digits, "-", "_" and "." is escaped as %XX, and so is a "." at the start. A long name is
// truncated and ends with "~" and a digest.
func Name(gameID string) string {
	var name strings.Builder
	for i := range len(gameID) {
		if b := gameID[i]; isPlain(b) || b == '.' && i > 0 {
			name.WriteByte(b)
		} else {
			name.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{b})))
		}
	}
	if name.Len() <= maxNameBytes {
		return name.String()
	}
	digest := sha256.Sum256([]byte(gameID))
	return name.String()[:maxNameBytes/2] + "~" + hex.EncodeToString(digest[:]) // no short name contains "~"
}

// isPlain reports whether the byte needs no escape at any position.
func isPlain(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_'
}
