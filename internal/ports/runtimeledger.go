package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/runtime"
)

// RuntimeLedger reads the recent writes of each game. It is safe for concurrent use.
type RuntimeLedger interface {
	// History returns the game's recent ledger entries, newest first. The first one
	// describes the write of the current record; SetCondition adds no entry. The store decides how many older ones
	// it keeps. A game without a record is runtime.ErrNotFound, and an invalid id
	// runtime.ErrInvalid. Corrupt entries do not hide the others: History then returns
	// every readable entry together with the *runtime.CorruptError of each, joined.
	History(ctx context.Context, gameID string) ([]runtime.LedgerEntry, error)
}
