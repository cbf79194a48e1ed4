package memstore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.IntentStore = (*Store)(nil)

// GetIntent implements ports.IntentStore.
func (s *Store) GetIntent(ctx context.Context, gameID string) (ports.VersionedIntent, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return ports.VersionedIntent{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return ports.VersionedIntent{}, err
	}
	return s.intentOf(gameID), nil
}

// GetIntentAndRecord implements ports.IntentStore.
func (s *Store) GetIntentAndRecord(ctx context.Context, gameID string) (ports.VersionedIntent, runtime.VersionedRecord, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return ports.VersionedIntent{}, runtime.VersionedRecord{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return ports.VersionedIntent{}, runtime.VersionedRecord{}, err
	}
	var record runtime.VersionedRecord
	if current := s.currentVersion(gameID); current != nil {
		record = current.toVersionedRecord()
	}
	return s.intentOf(gameID), record, nil
}

// GetIntentAndRecordLocal implements ports.IntentStore. Both are current.
func (s *Store) GetIntentAndRecordLocal(gameID string) (intent ports.VersionedIntent, record runtime.VersionedRecord, isKnown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if current := s.currentVersion(gameID); current != nil {
		record = current.toVersionedRecord()
	}
	intent = s.intentOf(gameID)
	return intent, record, intent.Revision != 0
}

// AwaitIntent implements ports.IntentStore.
func (s *Store) AwaitIntent(ctx context.Context, gameID string, after int64) (ports.VersionedIntent, error) {
	for {
		changed := s.changed.Changed()
		found, err := s.GetIntent(ctx, gameID)
		if err != nil || found.Revision > after || found.Revision == 0 && after != 0 {
			return found, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ports.VersionedIntent{}, ctx.Err()
		}
	}
}

// intentOf returns a copy of the game's intent. mu must be held.
func (s *Store) intentOf(gameID string) ports.VersionedIntent {
	found := s.intents[storeKey(gameID)]
	found.Intent = found.Intent.Clone()
	found.Intent.GameID = gameID
	return found
}

// PutIntent implements ports.IntentStore. It increments the store's revision, although a
// watch of records delivers nothing for it.
func (s *Store) PutIntent(ctx context.Context, intent operation.Intent, replaces ports.IntentVersion, fences ...node.Fence) (ports.IntentVersion, error) {
	var none ports.IntentVersion
	if err := ports.ValidateIntent(intent, replaces.Revision, fences); err != nil {
		return none, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return none, err
	}
	for i := range fences {
		if err := s.checkFence(intent.GameID, &fences[i]); err != nil {
			return none, err
		}
	}
	key := storeKey(intent.GameID)
	if actual := s.intents[key].Revision; actual != replaces.Revision {
		return none, fmt.Errorf("put the intent of game %q: %w", intent.GameID, runtime.NewRevisionConflict(intent.GameID, replaces.Revision, runtime.VersionedRecord{Revision: actual}))
	}
	s.revision++
	s.intents[key] = ports.VersionedIntent{Intent: intent.Clone(), IntentVersion: ports.IntentVersion{Revision: s.revision}}
	s.changed.Notify()
	return s.intents[key].IntentVersion, nil
}

// GetIntents implements ports.IntentStore.
func (s *Store) GetIntents(ctx context.Context, gameIDs []string) ([]ports.VersionedIntent, error) {
	found := make([]ports.VersionedIntent, 0, len(gameIDs))
	for _, gameID := range gameIDs {
		one, err := s.GetIntent(ctx, gameID)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, ctx.Err()
}

// GamesOfOperation implements ports.IntentStore.
func (s *Store) GamesOfOperation(ctx context.Context, operationID string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	games := []string{}
	for _, stored := range s.intents {
		if slices.Contains(stored.Intent.OperationIDs(), operationID) {
			games = append(games, stored.Intent.GameID)
		}
	}
	return games, nil
}

// GamesWithActiveOperation implements ports.IntentStore.
func (s *Store) GamesWithActiveOperation(ctx context.Context, region, node string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	games := []string{}
	for _, key := range slices.Sorted(maps.Keys(s.intents)) {
		intent := s.intents[key].Intent
		if op := intent.Current; op != nil && (region == "" || op.Region == region) && (node == "" || op.Node == node) {
			games = append(games, intent.GameID)
		}
	}
	return games, nil
}

// GamesWithIntent returns the games that have an intent, in no particular order.
func (s *Store) GamesWithIntent(ctx context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	games := []string{}
	for _, stored := range s.intents {
		games = append(games, stored.Intent.GameID)
	}
	return games, ctx.Err()
}
