package runtime

import "time"

// LedgerEntry tells how a record came to be what it was at one revision. Each
// write leaves one, in the same transaction; a game keeps its most recent ones.
type LedgerEntry struct {
	// Seq numbers the writes of one game from 1, without gaps.
	Seq int64 `json:"seq"`
	// From is the status before the write, empty where there was no record.
	From Status `json:"from"`
	To   Status `json:"to"`
	// At is the instant that the writer gave, by its own clock.
	At time.Time `json:"at"`
	// OperationID is the id of the operation that wrote; no two entries of a game's
	// ledger share one.
	OperationID string `json:"operation_id"`
	// Actor says who asked for the write and Reason why; both may be empty.
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
	// ContainerID and Image are those of the record after the write.
	ContainerID string `json:"container_id"`
	Image       string `json:"image"`
	// Revision is the store's revision at which the write took effect.
	Revision int64 `json:"revision"`
}
