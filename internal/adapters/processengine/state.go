package processengine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
)

// maxStateName keeps names clear of the 255 bytes that filesystems allow.
const maxStateName = 200

// stateName returns the name of the game's directory: a name for a name, so that
// no two games share one and none leads elsewhere. It is the id as far as that
// makes a plain name; of a long one it is the beginning and a digest.
func stateName(gameID string) string {
	var name strings.Builder
	for i := range len(gameID) {
		b := gameID[i]
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_' || b == '.' && i > 0 {
			name.WriteByte(b)
			continue
		}
		name.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{b})))
	}
	if name.Len() <= maxStateName {
		return name.String()
	}
	digest := sha256.Sum256([]byte(gameID))
	return name.String()[:maxStateName/2] + "~" + hex.EncodeToString(digest[:]) // no short name holds a ~
}

// makeState makes the game's directory, if it is not there.
func (e *Engine) makeState(gameID string) error {
	err := e.states.Mkdir(stateName(gameID), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
