package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Archive keeps games that are deleted from the store. It is safe for concurrent use; concurrent
// calls may share one write.
type Archive interface {
	// Store returns nil once the game is durable in the archive. Otherwise it returns an error
	// that errors.Is runtime.ErrNotArchived, and the archive may have the game nevertheless.
	//
	// A game may be stored more than once: a deletion that follows may fail. Revision and game
	// id identify one state of a game.
	Store(ctx context.Context, game ArchivedGame) error
}

// ArchivedGame is what an archive keeps of a game.
type ArchivedGame struct {
	Record runtime.VersionedRecord
	// Intent has the spec. It names secrets, and has none of their values.
	Intent operation.Intent
	// History is the ledger, newest first.
	History []runtime.LedgerEntry
	// IsHistoryPartial reports that entries of the ledger could not be read.
	IsHistoryPartial bool
	// Origin has the actor and the reason of the deletion.
	Origin Origin
}
