// Package deletion deletes games after they have been archived.
package deletion

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Store is the part of the store that a Deleter uses.
type Store interface {
	ports.RuntimeDeleter
	ports.RuntimeLedger
	GetIntentAndRecord(ctx context.Context, gameID string) (ports.VersionedIntent, runtime.VersionedRecord, error)
}

// Deleter is a ports.RuntimeDeleter that archives a game before it deletes it. It is safe for
// concurrent use.
type Deleter struct {
	store   Store
	archive ports.Archive
}

var _ ports.RuntimeDeleter = (*Deleter)(nil)

// NewDeleter returns a deleter.
func NewDeleter(store Store, archive ports.Archive) *Deleter {
	return &Deleter{store: store, archive: archive}
}

// Delete implements ports.RuntimeDeleter. In addition it returns runtime.ErrNotArchived if the
// archive does not accept the game, which is not deleted then. It deletes only the state of the
// game that it has archived: a game that changes in between is archived once more.
func (d *Deleter) Delete(ctx context.Context, input ports.DeleteInput) error {
	if err := input.Validate(); err != nil {
		return err
	}
	for {
		game, isDeletable, err := d.read(ctx, input)
		if err != nil {
			return err
		}
		if !isDeletable {
			return d.store.Delete(ctx, input) // which returns the reason, or nil for a repeated call
		}
		if err := d.archive.Store(ctx, game); err != nil {
			return fmt.Errorf("delete game %q: %w", input.GameID, err)
		}
		archived := input
		archived.IfRevision = &game.Record.Revision
		err = d.store.Delete(ctx, archived)
		if input.IfRevision != nil || !errors.Is(err, runtime.ErrConflict) {
			return err
		}
	}
}

// read returns what is to be archived of the game, and false if the game may not be deleted.
func (d *Deleter) read(ctx context.Context, input ports.DeleteInput) (ports.ArchivedGame, bool, error) {
	intent, record, err := d.store.GetIntentAndRecord(ctx, input.GameID)
	if err != nil {
		return ports.ArchivedGame{}, false, err
	}
	isDeletable := record.Revision != 0 && input.CheckGame(&record, intent.Revision != 0, intent.Intent.Current) == nil
	if !isDeletable {
		return ports.ArchivedGame{}, false, nil
	}
	history, err := d.store.History(ctx, input.GameID)
	if errors.Is(err, runtime.ErrNotFound) { // it has just been deleted
		return ports.ArchivedGame{}, false, nil
	}
	isPartial := errors.Is(err, runtime.ErrCorrupt)
	if err != nil && !isPartial {
		return ports.ArchivedGame{}, false, err
	}
	return ports.ArchivedGame{Record: record, Intent: intent.Intent, History: history, IsHistoryPartial: isPartial, Origin: input.Origin}, true, nil
}
