package runtime

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxGameIDBytes is the length of the longest game id, in bytes of UTF-8.
const MaxGameIDBytes = 256

// ValidateGameID returns nil for a valid game id, and otherwise an *InvalidError on field
// "game_id" that quotes the id.
//
// A game id is 1 to 256 bytes of valid UTF-8, without control characters and not blank.
// "." and ".." are invalid because every URL client resolves them to another path. Any
// other text is valid and is kept byte for byte, including slashes, percent signs and
// emoji. There is no Unicode normalization.
func ValidateGameID(id string) error {
	switch {
	case id == "":
		return invalidGameID("is empty; name the game")
	case len(id) > MaxGameIDBytes:
		return invalidGameID(fmt.Sprintf("%.32q… has %d bytes; at most %d are allowed", id, len(id), MaxGameIDBytes))
	case !utf8.ValidString(id):
		return invalidGameID(fmt.Sprintf("%q is not valid UTF-8", id))
	case strings.ContainsFunc(id, unicode.IsControl):
		return invalidGameID(fmt.Sprintf("%q contains a control character", id))
	case strings.TrimSpace(id) == "":
		return invalidGameID(fmt.Sprintf("%q is blank; name the game", id))
	case id == "." || id == "..":
		return invalidGameID(fmt.Sprintf("%q cannot be an id: URLs read it as a path step", id))
	}
	return nil
}

func invalidGameID(reason string) error {
	return &InvalidError{Field: "game_id", Reason: reason}
}
