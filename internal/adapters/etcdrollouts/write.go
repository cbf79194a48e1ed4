package etcdrollouts

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// deletesPerTxn is the number of games that one transaction deletes at most.
const deletesPerTxn = 100

// CreateRollout implements ports.RolloutStore. The rollout is written first and last: a leader
// deletes one that remains in preparation.
func (s *Store) CreateRollout(ctx context.Context, created rollout.Rollout, games []rollout.Game) (rollout.Rollout, error) {
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()
	state := created.State
	created.State, created.Revision = rollout.StatePreparing, 0
	current, err := s.put(ctx, created, nil, nil)
	if err != nil {
		return rollout.Rollout{}, s.describe(err, "create", created.ID)
	}
	for chunk := range slices.Chunk(games, ports.MaxProgressGames) {
		if current, err = s.put(ctx, current, chunk, nil); err != nil {
			return rollout.Rollout{}, s.describe(err, "create", created.ID)
		}
	}
	current.State = state
	current, err = s.put(ctx, current, nil, nil)
	return current, s.describe(err, "create", created.ID)
}

// UpdateRollout implements ports.RolloutStore by a read and a compare-and-swap. After a lost
// response it computes the change from the state as it is then.
func (s *Store) UpdateRollout(ctx context.Context, id string, change func(*rollout.Rollout) error) (rollout.Rollout, error) {
	if err := rollout.ValidateID(id); err != nil {
		return rollout.Rollout{}, err
	}
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()
	backoff := etcd.NewBackoff()
	for {
		before, err := s.header(ctx, id)
		if err != nil {
			return rollout.Rollout{}, s.describe(err, "change", id)
		}
		next := before.Clone()
		if err := change(&next); err != nil || reflect.DeepEqual(before, next) {
			return next, err
		}
		after, err := s.put(ctx, next, nil, nil)
		switch {
		case err == nil:
			return after, nil
		case errors.Is(err, runtime.ErrConflict):
		case !errors.Is(err, runtime.ErrUnavailable) && !errors.Is(err, runtime.ErrOutcomeUnknown):
			return rollout.Rollout{}, s.describe(err, "change", id)
		}
		if !backoff.Wait(ctx) {
			return rollout.Rollout{}, s.describe(err, "change", id)
		}
	}
}

// header returns the rollout without its games.
func (s *Store) header(ctx context.Context, id string) (rollout.Rollout, error) {
	resp, err := s.etcd.Get(ctx, s.keys.rollout(id))
	switch {
	case err != nil:
		return rollout.Rollout{}, err
	case len(resp.Kvs) == 0:
		return rollout.Rollout{}, &rollout.NotFoundError{ID: id}
	}
	return s.decodeRollout(resp.Kvs[0])
}

// PutProgress implements ports.RolloutStore with one transaction. It does not repeat a request
// of an unknown outcome: the caller reads the rollout and continues from there.
func (s *Store) PutProgress(ctx context.Context, current rollout.Rollout, changed []rollout.Game, fence node.Fence) (rollout.Rollout, error) {
	if err := fence.Validate(); err != nil {
		return rollout.Rollout{}, err
	}
	if len(changed) > ports.MaxProgressGames {
		return rollout.Rollout{}, &runtime.InvalidError{Field: "games", Reason: fmt.Sprintf("are %d; at most %d are allowed", len(changed), ports.MaxProgressGames)}
	}
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()
	after, err := s.put(ctx, current, changed, &fence)
	return after, s.describe(err, "store the progress of", current.ID)
}

// put writes the rollout and the games if the rollout has its revision, 0 for none, and the
// fence, if not nil, is valid.
func (s *Store) put(ctx context.Context, r rollout.Rollout, games []rollout.Game, fence *node.Fence) (rollout.Rollout, error) {
	key := s.keys.rollout(r.ID)
	value, err := s.encodeRollout(r)
	if err != nil {
		return rollout.Rollout{}, err
	}
	compares, writes := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(key), "=", r.Revision)}, []clientv3.Op{clientv3.OpPut(key, value)}
	if fence != nil {
		compares = append(compares, clientv3.Compare(clientv3.CreateRevision(fence.Key), "=", fence.CreateRevision))
	}
	for _, game := range games {
		gameKey := s.keys.game(r.ID, game.GameID)
		text, err := encode(s, gameKey, game)
		if err != nil {
			return rollout.Rollout{}, err
		}
		writes = append(writes, clientv3.OpPut(gameKey, text))
	}
	resp, err := etcd.TryOnce(ctx, s.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return s.etcd.Raw.Txn(ctx).If(compares...).Then(writes...).Else(clientv3.OpGet(key)).Commit()
	})
	if err == nil {
		err = s.etcd.CheckCluster(resp.Header.GetClusterId())
	} else {
		err = etcd.WriteError(ctx, err)
	}
	switch {
	case err != nil:
		return rollout.Rollout{}, err
	case resp.Succeeded:
		r.Revision = resp.Header.GetRevision()
		return r, nil
	}
	kvs := resp.Responses[0].GetResponseRange().GetKvs()
	switch {
	case len(kvs) == 0 && r.Revision != 0:
		return rollout.Rollout{}, &rollout.NotFoundError{ID: r.ID}
	case len(kvs) > 0 && kvs[0].GetModRevision() == r.Revision:
		return rollout.Rollout{}, runtime.ErrFenced
	}
	return rollout.Rollout{}, fmt.Errorf("%w: another writer has changed the rollout", runtime.ErrConflict)
}

// DeleteRollout implements ports.RolloutStore. It deletes nothing of a later rollout of the same id, which a
// request can create once another deletion has completed.
func (s *Store) DeleteRollout(ctx context.Context, id string) error {
	if err := rollout.ValidateID(id); err != nil {
		return err
	}
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()
	header, err := s.etcd.Get(ctx, s.keys.rollout(id), clientv3.WithKeysOnly())
	if err != nil {
		return s.describe(err, "delete", id)
	}
	createRevision := int64(0)
	if len(header.Kvs) > 0 {
		createRevision = header.Kvs[0].GetCreateRevision()
	}
	isSame := clientv3.Compare(clientv3.CreateRevision(s.keys.rollout(id)), "=", createRevision)
	for {
		resp, err := s.etcd.Get(ctx, s.keys.games(id), clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(deletesPerTxn))
		if err != nil {
			return s.describe(err, "delete the games of", id)
		}
		if len(resp.Kvs) == 0 {
			_, err := s.delete(ctx, isSame, clientv3.OpDelete(s.keys.rollout(id)))
			return s.describe(err, "delete", id)
		}
		deletes := make([]clientv3.Op, len(resp.Kvs))
		for i, kv := range resp.Kvs {
			deletes[i] = clientv3.OpDelete(string(kv.GetKey()))
		}
		if isDeleted, err := s.delete(ctx, isSame, deletes...); err != nil || !isDeleted {
			return s.describe(err, "delete the games of", id)
		}
	}
}

// delete makes deletions in one transaction, which may be repeated, if the compare holds.
func (s *Store) delete(ctx context.Context, compare clientv3.Cmp, deletes ...clientv3.Op) (isDeleted bool, _ error) {
	resp, err := etcd.TryOnce(ctx, s.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return s.etcd.Raw.Txn(ctx).If(compare).Then(deletes...).Commit()
	})
	if err != nil {
		return false, etcd.WriteError(ctx, err)
	}
	return resp.Succeeded, s.etcd.CheckCluster(resp.Header.GetClusterId())
}

func (s *Store) describe(err error, verb, id string) error {
	if err == nil || errors.Is(err, rollout.ErrNotFound) {
		return err
	}
	return fmt.Errorf("%s rollout %s: %w", verb, id, err)
}
