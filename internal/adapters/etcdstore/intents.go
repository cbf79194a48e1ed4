package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

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
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return ports.VersionedIntent{}, err
	}
	defer done()
	found := ports.VersionedIntent{Intent: operation.Intent{GameID: gameID}}
	resp, err := s.etcd.Get(ctx, s.keys.Intent(gameID))
	if err == nil && len(resp.Kvs) > 0 {
		found, err = s.keys.VersionedIntent(resp.Kvs[0])
	}
	if err != nil {
		return ports.VersionedIntent{}, fmt.Errorf("get the intent of game %q: %w", gameID, err)
	}
	return found, nil
}

// intentsAtOnce keeps a batch of reads within etcd's 128 operations a transaction.
const intentsAtOnce = 100

// GetIntents implements ports.IntentStore, by one linearizable transaction for some
// of the games after the other.
func (s *Store) GetIntents(ctx context.Context, gameIDs []string) ([]ports.VersionedIntent, error) {
	for _, gameID := range gameIDs {
		if err := runtime.ValidateGameID(gameID); err != nil {
			return nil, err
		}
	}
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	found := make([]ports.VersionedIntent, 0, len(gameIDs))
	var faults []error
	for batch := range slices.Chunk(gameIDs, intentsAtOnce) {
		gets := make([]clientv3.Op, len(batch))
		for i, gameID := range batch {
			gets[i] = clientv3.OpGet(s.keys.Intent(gameID))
		}
		resp, err := etcd.RetryRead(ctx, s.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
			return s.client.Txn(ctx).Then(gets...).Commit()
		})
		if err != nil {
			return nil, fmt.Errorf("get the intents of %d games: %w", len(gameIDs), err)
		}
		for i, gameID := range batch {
			one := ports.VersionedIntent{Intent: operation.Intent{GameID: gameID}}
			if kvs := resp.Responses[i].GetResponseRange().GetKvs(); len(kvs) > 0 {
				stored, err := s.keys.VersionedIntent(kvs[0])
				if err != nil {
					faults = append(faults, err)
				} else {
					one = stored
				}
			}
			found = append(found, one)
		}
	}
	return found, errors.Join(faults...)
}

// GamesWithActiveOperation implements ports.IntentStore by the index of operations. A key in it
// that is no game's is left out: fsck reports it.
func (s *Store) GamesWithActiveOperation(ctx context.Context, region, node string) ([]string, error) {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	games, err := asOfNow(ctx, func(ctx context.Context) ([]string, error) {
		games := []string{}
		family := s.keys.OperationIndexOf(region, node)
		_, err := s.scan(ctx, family, family, 0, func(_ int64, kvs []*mvccpb.KeyValue) (bool, error) {
			for _, kv := range kvs {
				if gameID, err := s.keys.GameOfOperationIndex(string(kv.GetKey())); err == nil {
					games = append(games, gameID)
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
