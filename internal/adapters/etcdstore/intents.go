package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// GetIntent implements ports.IntentStore by one linearizable read.
func (s *Store) GetIntent(ctx context.Context, gameID string) (ports.VersionedIntent, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return ports.VersionedIntent{}, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return ports.VersionedIntent{}, err
	}
	defer end()
	found := ports.VersionedIntent{Intent: operation.Intent{GameID: gameID}}
	since := s.knownIntents.begin()
	resp, err := s.etcd.Get(ctx, s.keys.Intent(gameID))
	if err == nil && len(resp.Kvs) > 0 {
		found, err = s.keys.VersionedIntent(resp.Kvs[0])
	}
	if err != nil {
		return ports.VersionedIntent{}, fmt.Errorf("get the intent of game %q: %w", gameID, err)
	}
	s.knownIntents.add(found, since)
	return found, nil
}

// GetIntentAndRecord implements ports.IntentStore by one linearizable transaction.
func (s *Store) GetIntentAndRecord(ctx context.Context, gameID string) (ports.VersionedIntent, runtime.VersionedRecord, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return ports.VersionedIntent{}, runtime.VersionedRecord{}, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return ports.VersionedIntent{}, runtime.VersionedRecord{}, err
	}
	defer end()
	intent, record, err := s.getIntentAndRecord(ctx, gameID)
	if err != nil {
		return ports.VersionedIntent{}, runtime.VersionedRecord{}, fmt.Errorf("get intent and record of game %q: %w", gameID, err)
	}
	return intent, record, nil
}

func (s *Store) getIntentAndRecord(ctx context.Context, gameID string) (intent ports.VersionedIntent, record runtime.VersionedRecord, err error) {
	intent.Intent.GameID = gameID
	since, recordSince := s.knownIntents.begin(), s.beginRequest()
	kvs, err := s.etcd.GetEach(ctx, []clientv3.Op{clientv3.OpGet(s.keys.Intent(gameID)), clientv3.OpGet(s.keys.Record(gameID))})
	if err == nil && kvs[0] != nil {
		intent, err = s.keys.VersionedIntent(kvs[0])
	}
	if err == nil {
		s.knownIntents.add(intent, since)
	}
	if err != nil || kvs[1] == nil {
		return intent, record, err
	}
	stored, err := s.keys.DecodeRecord(kvs[1])
	if err != nil {
		return intent, record, err
	}
	s.cacheWrite(stored, recordSince) // the base of the writes that follow
	return intent, stored.Versioned(), nil
}

// GetIntents implements ports.IntentStore by one linearizable transaction for each chunk of
// the games.
func (s *Store) GetIntents(ctx context.Context, gameIDs []string) ([]ports.VersionedIntent, error) {
	for _, gameID := range gameIDs {
		if err := runtime.ValidateGameID(gameID); err != nil {
			return nil, err
		}
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	found := make([]ports.VersionedIntent, 0, len(gameIDs))
	var corrupt []error
	for chunk := range slices.Chunk(gameIDs, maxGetsPerTxn) {
		gets := make([]clientv3.Op, len(chunk))
		for i, gameID := range chunk {
			gets[i] = clientv3.OpGet(s.keys.Intent(gameID))
		}
		since := s.knownIntents.begin()
		kvs, err := s.etcd.GetEach(ctx, gets)
		if err != nil {
			return nil, fmt.Errorf("get the intents of %d games: %w", len(gameIDs), err)
		}
		for i, gameID := range chunk {
			intent := ports.VersionedIntent{Intent: operation.Intent{GameID: gameID}}
			if kvs[i] != nil {
				decoded, err := s.keys.VersionedIntent(kvs[i])
				if err != nil {
					corrupt = append(corrupt, err)
				} else {
					intent = decoded
				}
			}
			found = append(found, intent)
			s.knownIntents.refresh(intent, since)
		}
	}
	return found, errors.Join(corrupt...)
}

// GamesWithActiveOperation implements ports.IntentStore by the index of operations. It skips
// keys that do not name a game; Check reports them.
func (s *Store) GamesWithActiveOperation(ctx context.Context, region, node string) ([]string, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	found, err := s.listOperationIndex(ctx, region, node)
	if err != nil {
		return nil, err
	}
	games := make([]string, len(found))
	for i, game := range found {
		games[i] = game.gameID
	}
	return games, nil
}

// indexedOperation is a key of the index of operations.
type indexedOperation struct {
	gameID string
	// revision is that of the last write of the key. Each write of the intent writes the key too
	// while the operation is in progress.
	revision int64
}

// listOperationIndex returns the index of the operations of the node.
func (s *Store) listOperationIndex(ctx context.Context, region, node string) ([]indexedOperation, error) {
	family := s.keys.OperationIndexOf(region, node)
	games, err := etcd.RetryOnCompaction(ctx, func(ctx context.Context) ([]indexedOperation, error) {
		var games []indexedOperation
		_, err := s.etcd.Scan(ctx, family, family, 0, func(_ int64, kvs []*mvccpb.KeyValue) (bool, error) {
			for _, kv := range kvs {
				if gameID, err := s.keys.GameOfOperationIndex(string(kv.GetKey())); err == nil {
					games = append(games, indexedOperation{gameID, kv.GetModRevision()})
				}
			}
			return true, nil
		})
		return games, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the operations of %s/%s: %w", region, node, err)
	}
	return games, nil
}

// GamesOfOperation implements ports.IntentStore by the index of operation ids. It skips keys that do
// not name a game; Check reports them.
func (s *Store) GamesOfOperation(ctx context.Context, operationID string) ([]string, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	resp, err := s.etcd.Get(ctx, s.keys.OperationIDOf(operationID), clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, fmt.Errorf("find operation %q: %w", operationID, err)
	}
	games := []string{}
	for _, kv := range resp.Kvs {
		if gameID, err := s.keys.GameOfOperationID(string(kv.GetKey())); err == nil {
			games = append(games, gameID)
		}
	}
	return games, nil
}

// GamesWithIntent returns the games that have an intent as of one revision, in no particular order.
// It reads the keys only.
func (s *Store) GamesWithIntent(ctx context.Context) ([]string, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	family := s.keys.Intents()
	games, err := etcd.RetryOnCompaction(ctx, func(ctx context.Context) ([]string, error) {
		games := []string{}
		_, err := s.etcd.ScanRange(ctx, etcd.ScanRange{Family: family, From: family, KeysOnly: true}, func(_ int64, kvs []*mvccpb.KeyValue) (bool, error) {
			for _, kv := range kvs {
				if gameID, err := s.keys.GameOfIntent(string(kv.GetKey())); err == nil {
					games = append(games, gameID)
				}
			}
			return true, nil
		})
		return games, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the games with an intent: %w", err)
	}
	return games, nil
}

// PutIntent implements ports.IntentStore by one compare-and-swap. It keeps members of the
// replaced intent that only a newer version knows; if the replaced version does not include
// them, or if the store has no synced cache, the intent is read first.
//
// One case is not detected: another client, or a deletion at etcd's space quota, deletes the
// intent of an ambiguous insert without the deletion epoch. The intent is then written a second
// time.
func (s *Store) PutIntent(ctx context.Context, intent operation.Intent, replaces ports.IntentVersion, fences ...node.Fence) (ports.IntentVersion, error) {
	if err := ports.ValidateIntent(intent, replaces.Revision, fences); err != nil {
		return ports.IntentVersion{}, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return ports.IntentVersion{}, err
	}
	defer end()
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()

	version, err := s.putIntent(ctx, intent, replaces, fences)
	if err != nil {
		return ports.IntentVersion{}, fmt.Errorf("put the intent of game %q: %w", intent.GameID, err)
	}
	return version, nil
}

func (s *Store) putIntent(ctx context.Context, intent operation.Intent, replaces ports.IntentVersion, fences []node.Fence) (ports.IntentVersion, error) {
	since := s.knownIntents.begin()
	txn, err := s.newIntentTxn(ctx, intent, replaces, fences)
	if err != nil {
		return ports.IntentVersion{}, err
	}
	for {
		result, err := commit(ctx, s, txn)
		if err != nil {
			return ports.IntentVersion{}, err
		}
		if result.isApplied {
			version := ports.NewIntentVersion(result.result, txn.value)
			s.knownIntents.add(ports.VersionedIntent{Intent: intent, IntentVersion: version}, since)
			return version, nil
		}
		if err := txn.conflictError(result.state); err != nil {
			return ports.IntentVersion{}, err
		}
		txn = txn.withSeenRevision(result.state.asOf) // only the deletion epoch has changed
	}
}
