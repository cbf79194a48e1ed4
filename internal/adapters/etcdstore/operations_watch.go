package etcdstore

import (
	"context"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// WatchOperations calls report with each game that has an operation of the node in progress, and
// then with each that gets one, on the goroutine of the caller. It returns when the watch of etcd
// breaks, or with the cause of ctx when that ends; the caller then calls it once more. A watch
// that stalls without an error reports nothing, so the caller also lists the games at an interval.
func (s *Store) WatchOperations(ctx context.Context, region, node string, report func(gameID string)) error {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	// RequireLeader: a member that has lost its cluster then fails the watch.
	watchCtx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	family := s.keys.OperationIndexOf(region, node)
	responses := s.source.Watcher.Watch(watchCtx, family, clientv3.WithPrefix(), clientv3.WithFilterDelete(), clientv3.WithCreatedNotify())
	for resp := range responses {
		if err := resp.Err(); err != nil {
			return fmt.Errorf("watch the operations of %s/%s: %w", region, node, err)
		}
		if resp.Created {
			games, err := s.listOperationIndex(ctx, region, node)
			if err != nil {
				return err
			}
			for _, game := range games {
				s.knownIntents.expire(game.gameID, game.revision)
				report(game.gameID)
			}
		}
		for _, event := range resp.Events {
			// The steps of an operation write the key too.
			gameID, err := s.keys.GameOfOperationIndex(string(event.Kv.GetKey()))
			if err != nil {
				continue
			}
			s.knownIntents.expire(gameID, event.Kv.GetModRevision())
			if event.IsCreate() {
				report(gameID)
			}
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.New("the watch of the operations ended")
}
