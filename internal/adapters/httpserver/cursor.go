package httpserver

import (
	"strconv"
	"strings"
)

// cursor is a position of a watch stream: a revision of one store. It is the id of a
// server-sent event.
type cursor struct {
	storeID  string // empty for a cursor that a client made from a revision
	revision int64
}

// cursorSeparator separates revision and store. It is part of neither.
const cursorSeparator = "@"

// String returns the text form, REVISION@STORE, or the revision alone without a store.
func (c cursor) String() string {
	revision := strconv.FormatInt(c.revision, 10)
	if c.storeID == "" {
		return revision
	}
	return revision + cursorSeparator + c.storeID
}

// parseCursor parses the text form.
func parseCursor(text string) (c cursor, isValid bool) {
	revision, storeID, hasStore := strings.Cut(text, cursorSeparator)
	c.storeID = storeID
	var err error
	c.revision, err = strconv.ParseInt(revision, 10, 64)
	return c, err == nil && c.revision >= 0 && hasStore == (storeID != "")
}

// isForeign reports whether the cursor belongs to another store than the one of the id.
func (c cursor) isForeign(storeID string) bool {
	return c.storeID != "" && c.storeID != storeID
}
