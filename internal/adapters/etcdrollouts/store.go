package etcdrollouts

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

var _ ports.RolloutStore = (*Store)(nil)

// Options configure a Store. The zero value is valid.
type Options struct {
	// Prefix is the prefix of every key; that of the store of the records.
	Prefix string
	// WatchClient is the client for watches; default the client of New.
	WatchClient *clientv3.Client
	// ClusterID is the id of the etcd cluster, whose responses are the only accepted ones; 0
	// accepts the first cluster that responds.
	ClusterID uint64
	// CallTimeout bounds one request at least. Default 3 s.
	CallTimeout time.Duration
	// OperationTimeout bounds one method, for callers without a deadline. Default 15 s.
	OperationTimeout time.Duration
	// Logger reports values that cannot be read; nil discards them.
	Logger *slog.Logger
}

// Store implements ports.RolloutStore on one etcd cluster. It is safe for concurrent use, and
// several stores may work on the same prefix. It has no goroutines and need not be closed.
type Store struct {
	etcd        *etcd.Client
	watchClient *clientv3.Client
	keys        keyspace
	corrupt     *etcd.CorruptLog
	unknown     unknownMembers
}

// New returns a store. It sends no request. The caller closes the client.
func New(client *clientv3.Client, opts Options) *Store {
	opts.Logger = cmp.Or(opts.Logger, slog.New(slog.DiscardHandler))
	s := &Store{
		watchClient: cmp.Or(opts.WatchClient, client), keys: keyspace{etcd.TrimPrefix(opts.Prefix)},
		etcd: etcd.NewClient(client, etcd.Options{
			CallTimeout: cmp.Or(opts.CallTimeout, 3*time.Second), OperationTimeout: cmp.Or(opts.OperationTimeout, 15*time.Second), Logger: opts.Logger,
		}),
		corrupt: etcd.NewCorruptLog(opts.Logger, "a stored rollout cannot be read, and is not carried out"),
	}
	if opts.ClusterID != 0 {
		s.etcd.SetClusterID(opts.ClusterID)
	}
	return s
}

// Rollouts implements ports.RolloutStore with one read. It logs a value that cannot be read once.
func (s *Store) Rollouts(ctx context.Context) ([]rollout.Rollout, error) {
	resp, err := s.etcd.Get(ctx, s.keys.rollouts(), clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("list the rollouts: %w", err)
	}
	found := []rollout.Rollout{}
	for _, kv := range resp.Kvs {
		decoded, err := s.decodeRollout(kv)
		if err != nil {
			s.corrupt.Add(kv, err)
			continue
		}
		found = append(found, decoded)
	}
	slices.SortFunc(found, func(a, b rollout.Rollout) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return found, nil
}

// Rollout implements ports.RolloutStore with one transaction.
func (s *Store) Rollout(ctx context.Context, id string) (rollout.Rollout, []rollout.Game, error) {
	if err := rollout.ValidateID(id); err != nil {
		return rollout.Rollout{}, nil, err
	}
	resp, err := s.etcd.ReadTxn(ctx, clientv3.OpGet(s.keys.rollout(id)), clientv3.OpGet(s.keys.games(id), clientv3.WithPrefix()))
	if err != nil {
		return rollout.Rollout{}, nil, fmt.Errorf("read rollout %s: %w", id, err)
	}
	kvs := func(i int) []*mvccpb.KeyValue { return resp.Responses[i].GetResponseRange().GetKvs() }
	if len(kvs(0)) == 0 {
		return rollout.Rollout{}, nil, &rollout.NotFoundError{ID: id}
	}
	found, err := s.decodeRollout(kvs(0)[0])
	if err != nil {
		return rollout.Rollout{}, nil, err
	}
	games := make([]rollout.Game, 0, len(kvs(1)))
	for _, kv := range kvs(1) {
		game, err := decode[rollout.Game](s, kv)
		if err != nil {
			return rollout.Rollout{}, nil, err
		}
		games = append(games, game)
	}
	slices.SortFunc(games, func(a, b rollout.Game) int { return cmp.Compare(a.GameID, b.GameID) })
	return found, games, nil
}

// watchDuration is how long a watch lasts before it is opened once more: a watch can stall
// without an error.
const watchDuration = 30 * time.Second

// retryDelay is the delay before a watch that has failed is opened once more.
const retryDelay = 500 * time.Millisecond

// FollowRollouts implements ports.RolloutStore by a watch.
func (s *Store) FollowRollouts(ctx context.Context, report func()) error {
	for ctx.Err() == nil {
		s.watch(ctx, report)
	}
	return context.Cause(ctx)
}

// watch opens a watch, calls report once it is open and after each change, and returns when it ends.
func (s *Store) watch(ctx context.Context, report func()) {
	// RequireLeader: a member that has lost its cluster then fails the watch.
	watchCtx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), wait.Jittered(watchDuration))
	defer cancel()
	for resp := range s.watchClient.Watch(watchCtx, s.keys.rollouts(), clientv3.WithPrefix(), clientv3.WithCreatedNotify()) {
		if resp.Err() != nil {
			break
		}
		report()
	}
	if watchCtx.Err() == nil {
		_ = wait.For(ctx, retryDelay)
	}
}
