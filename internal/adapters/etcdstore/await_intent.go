package etcdstore

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// AwaitIntent implements ports.IntentStore by a watch of the intent's key, which ends with the call.
func (s *Store) AwaitIntent(ctx context.Context, gameID string, after int64) (ports.VersionedIntent, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return ports.VersionedIntent{}, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return ports.VersionedIntent{}, err
	}
	defer end()
	found, err := s.awaitIntent(ctx, gameID, after)
	if err != nil {
		return ports.VersionedIntent{}, fmt.Errorf("await the intent of game %q: %w", gameID, err)
	}
	return found, nil
}

func (s *Store) awaitIntent(ctx context.Context, gameID string, after int64) (ports.VersionedIntent, error) {
	since := s.knownIntents.begin()
	// RequireLeader: a member that has lost its cluster then fails the watch.
	watchCtx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for resp := range s.source.Watcher.Watch(watchCtx, s.keys.Intent(gameID), clientv3.WithRev(after+1)) {
		if err := resp.Err(); err != nil {
			return ports.VersionedIntent{}, fmt.Errorf("%w: %w", runtime.ErrUnavailable, err)
		}
		if len(resp.Events) == 0 {
			continue
		}
		last := resp.Events[len(resp.Events)-1]
		if last.Type == clientv3.EventTypeDelete {
			absent := ports.VersionedIntent{Intent: operation.Intent{GameID: gameID}}
			s.knownIntents.add(absent, since)
			return absent, nil
		}
		intent, err := s.keys.VersionedIntent(last.Kv)
		if err == nil {
			s.knownIntents.add(intent, since)
		}
		return intent, err
	}
	if ctx.Err() != nil {
		return ports.VersionedIntent{}, etcd.ContextError(ctx)
	}
	return ports.VersionedIntent{}, fmt.Errorf("%w: the watch ended", runtime.ErrUnavailable)
}
