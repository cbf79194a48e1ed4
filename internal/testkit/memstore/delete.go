package memstore

import (
	"context"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Delete implements ports.RuntimeDeleter.
func (s *Store) Delete(ctx context.Context, input ports.DeleteInput) error {
	if err := input.Validate(); err != nil {
		return err
	}
	if input.Origin.OperationID == "" {
		input.Origin.OperationID = operation.NewID()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	deletion := [2]string{input.GameID, input.Origin.OperationID}
	if s.deletions[deletion] {
		return nil
	}
	if err := s.checkFence(input.GameID, input.Fence); err != nil {
		return err
	}
	var record *runtime.VersionedRecord
	current := s.currentVersion(input.GameID)
	if current != nil {
		versioned := current.toVersionedRecord()
		record = &versioned
	}
	intent, hasIntent := s.intents[storeKey(input.GameID)]
	if err := input.CheckGame(record, hasIntent, intent.Intent.Current); err != nil {
		return err
	}
	if current != nil {
		s.deleteGame(input.GameID, current)
	}
	delete(s.intents, storeKey(input.GameID))
	s.deletions[deletion] = true
	return nil
}

// deleteGame deletes record and ledger at a new revision. mu must be held.
func (s *Store) deleteGame(gameID string, current *recordVersion) {
	s.appendChange(change{gameID: gameID, kind: ports.EventDeleted, before: current.record})
	s.games[gameID].ledger = nil
}
