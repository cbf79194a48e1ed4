package runtime

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxGameIDBytes is the longest game id, in bytes of UTF-8.
const MaxGameIDBytes = 256

// ValidateGameID returns nil for an id that a game may have and otherwise an
// *InvalidError on field "game_id" that quotes the id.
//
// An id is 1 to 256 bytes of valid UTF-8 without control characters, and not
// blank. "." and ".." are refused because every URL client rewrites them to
// another path. Everything else is an id and is kept byte for byte: slashes,
// percent signs and emoji included, and no Unicode normalisation.
func ValidateGameID(id string) error {
	switch {
	case id == "":
		return invalidID("is empty; name the game")
	case len(id) > MaxGameIDBytes:
		return invalidID(fmt.Sprintf("%.32q… has %d bytes; at most %d are allowed", id, len(id), MaxGameIDBytes))
	case !utf8.ValidString(id):
		return invalidID(fmt.Sprintf("%q is not valid UTF-8", id))
	case strings.ContainsFunc(id, unicode.IsControl):
		return invalidID(fmt.Sprintf("%q holds a control character", id))
	case strings.TrimSpace(id) == "":
		return invalidID(fmt.Sprintf("%q is blank; name the game", id))
	case id == "." || id == "..":
		return invalidID(fmt.Sprintf("%q cannot be an id: URLs read it as a path step", id))
	}
	return nil
}

func invalidID(reason string) error {
	return &InvalidError{Field: "game_id", Reason: reason}
}
