package etcdstore

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
)

// GetVersioned implements ports.RuntimeReader.
func (s *Store) GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return runtime.VersionedRecord{}, err
	}
	if found, isServed, err := s.getFromCache(ctx, gameID); isServed {
		return found, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	defer end()
	found, _, err := s.getFromEtcd(ctx, gameID)
	return found, err
}

// GetLocal implements ports.RuntimeReader.
func (s *Store) GetLocal(ctx context.Context, gameID string) (runtime.VersionedRecord, int64, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return runtime.VersionedRecord{}, 0, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return runtime.VersionedRecord{}, 0, err
	}
	defer end()
	if s.reflector != nil {
		if record, asOf, isSynced := s.reflector.cache.Get(gameID); isSynced && s.reflector.servedLocally.Reached(asOf) {
			found, err := record.Lookup(gameID)
			return found, asOf, err
		}
	}
	found, asOf, err := s.getFromEtcd(ctx, gameID)
	s.noteServedLocally(asOf)
	return found, asOf, err
}

// getFromEtcd reads a record by one linearizable read, and returns its revision.
func (s *Store) getFromEtcd(ctx context.Context, gameID string) (found runtime.VersionedRecord, asOf int64, err error) {
	state, err := s.readRecord(ctx, gameID)
	if err == nil && state.record == nil {
		err = runtime.ErrNotFound
	}
	if err != nil {
		return runtime.VersionedRecord{}, state.revision, fmt.Errorf("get game %q: %w", gameID, err)
	}
	return state.record.Versioned(), state.revision, nil
}

// History implements ports.RuntimeLedger by one read of record and ledger.
func (s *Store) History(ctx context.Context, gameID string) ([]runtime.LedgerEntry, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return nil, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	state, err := s.readRecordAndLedger(ctx, gameID)
	if err == nil && state.record == nil {
		err = runtime.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("history of game %q: %w", gameID, err)
	}
	return state.history(), errors.Join(state.ledgerErrs...)
}
