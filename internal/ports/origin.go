package ports

import "strings"

// The longest texts of an Origin, in bytes.
const (
	MaxOperationIDBytes = 128
	MaxActorBytes       = 256
	MaxReasonBytes      = 1024
)

// Origin describes where a write comes from. The store keeps it in the ledger. The zero
// Origin is valid.
type Origin struct {
	// OperationID is the idempotency key of the write: printable UTF-8 of at most
	// MaxOperationIDBytes. A second write of the same game with the same id changes
	// nothing, as long as the first is among the game's ledger entries. It returns the
	// record that the first write left if that is still current, otherwise the current
	// record, and runtime.ErrNotFound if there is none. The store generates an id if it
	// is empty.
	//
	// A second write with the same id and another ContentsHash is an
	// *operation.IDReusedError. The store keeps the hash in the ledger. A ledger entry
	// without one matches every write.
	OperationID string
	// IgnoreContents lets a second write with another ContentsHash return what one with
	// the same hash returns. It is for a process that resumes an operation and computes
	// the write from a later state.
	IgnoreContents bool
	// Actor is the user or the component that requested the write, at most
	// MaxActorBytes of UTF-8.
	Actor string
	// Reason is why it was requested, at most MaxReasonBytes of UTF-8.
	Reason string
}

// TruncateReason truncates the reason of a write to the bytes that a ledger keeps, at the end
// of a character.
func TruncateReason(text string) string {
	if len(text) <= MaxReasonBytes {
		return text
	}
	return strings.ToValidUTF8(text[:MaxReasonBytes], "")
}
