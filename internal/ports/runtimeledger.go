package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/runtime"
)

// RuntimeLedger tells how records came to be what they are.
type RuntimeLedger interface {
	// History returns the game's recent ledger entries, newest first. The first
	// one tells how the present record came to be; how many older ones are kept
	// is the store's choice. A game without a record is runtime.ErrNotFound.
	// Damaged entries are reported as List reports damaged records.
	History(ctx context.Context, gameID string) ([]runtime.LedgerEntry, error)
}
