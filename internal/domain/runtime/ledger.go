package runtime

import "time"

// LedgerEntry describes one write of a record. Each write adds one entry in its own
// transaction. A game keeps its most recent entries.
type LedgerEntry struct {
	// Seq numbers the writes of one game from 1, without gaps.
	Seq int64 `json:"seq"`
	// From is the status before the write. It is empty if there was no record.
	From Status `json:"from"`
	To   Status `json:"to"`
	// At is the time of the write by the writer's clock.
	At time.Time `json:"at"`
	// OperationID is the id of the operation that wrote. It is unique within the ledger
	// of a game.
	OperationID string `json:"operation_id"`
	// Actor is the user or the component that requested the write, and Reason is why.
	// Both may be empty.
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
	// ContainerID and Image are those of the record after the write.
	ContainerID string `json:"container_id"`
	Image       string `json:"image"`
	// Revision is the store's revision of the write.
	Revision int64 `json:"revision"`
}
