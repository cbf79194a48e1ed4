package etcdstore

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
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
	resp, err := s.get(ctx, s.keys.intent(gameID))
	if err == nil && len(resp.Kvs) > 0 {
		found, err = s.keys.versionedIntent(resp.Kvs[0])
	}
	if err != nil {
		return ports.VersionedIntent{}, fmt.Errorf("get the intent of game %q: %w", gameID, err)
	}
	return found, nil
}

// ListIntents implements ports.IntentStore.
func (s *Store) ListIntents(ctx context.Context) ([]ports.VersionedIntent, error) {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var faults []error
	intents, err := asOfNow(ctx, func(ctx context.Context) (intents []ports.VersionedIntent, err error) {
		intents, faults, err = s.listIntentsOnce(ctx)
		return intents, err
	})
	if err != nil {
		return nil, fmt.Errorf("list intents: %w", err)
	}
	return intents, errors.Join(faults...)
}

// listIntentsOnce reads page after page at the revision of the first one.
func (s *Store) listIntentsOnce(ctx context.Context) (intents []ports.VersionedIntent, faults []error, err error) {
	intents = []ports.VersionedIntent{}
	family := s.keys.intents()
	_, err = s.scan(ctx, family, family, 0, func(_ int64, kvs []*mvccpb.KeyValue) (bool, error) {
		for _, kv := range kvs {
			found, err := s.keys.versionedIntent(kv)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			intents = append(intents, found)
		}
		return true, nil
	})
	return intents, faults, err
}

func (k keyspace) versionedIntent(kv *mvccpb.KeyValue) (ports.VersionedIntent, error) {
	stored, err := k.decodeIntent(kv)
	if err != nil {
		return ports.VersionedIntent{}, err
	}
	return ports.VersionedIntent{Intent: stored.intent(), Revision: kv.GetModRevision()}, nil
}
