package etcdaccess

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.AccessStore = (*Store)(nil)

// Options configure a Store. A zero field means its default.
type Options struct {
	// Prefix is prepended to every key: that of the record store.
	Prefix string
	// ClusterID identifies the etcd cluster. Responses of another cluster are rejected.
	// Default: the cluster that responds first.
	ClusterID uint64
	// CallTimeout bounds one request to etcd; default 3 s.
	CallTimeout time.Duration
	// OperationTimeout bounds the retries of a caller that set no deadline; default 15 s.
	OperationTimeout time.Duration
	// Logger reports values that cannot be read; nil discards.
	Logger *slog.Logger
}

// Store implements ports.AccessStore. It has no goroutines and need not be closed.
type Store struct {
	etcd    *etcd.Client
	keys    keyspace
	corrupt *etcd.CorruptLog
}

// New returns a store on the cluster of the client. It sends no request yet. The caller closes
// the client.
func New(client *clientv3.Client, opts Options) *Store {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		etcd: etcd.NewClient(client, etcd.Options{
			CallTimeout: cmp.Or(opts.CallTimeout, 3*time.Second), OperationTimeout: cmp.Or(opts.OperationTimeout, 15*time.Second), Logger: opts.Logger,
		}),
		keys:    keyspace{etcd.TrimPrefix(opts.Prefix)},
		corrupt: etcd.NewCorruptLog(opts.Logger, "a stored token or role binding cannot be read, and grants nothing"),
	}
	s.etcd.SetClusterID(opts.ClusterID)
	return s
}

// Version implements ports.AccessStore.
func (s *Store) Version(ctx context.Context) (string, error) {
	newest := append(clientv3.WithLastRev(), clientv3.WithPrefix(), clientv3.WithKeysOnly())
	resp, err := s.etcd.Get(ctx, s.keys.policy(), newest...)
	if err != nil {
		return "", fmt.Errorf("read the version of the policy: %w", err)
	}
	var modified int64
	if len(resp.Kvs) > 0 {
		modified = resp.Kvs[0].ModRevision
	}
	return fmt.Sprintf("%d/%d", resp.Count, modified), nil
}

// Policy implements ports.AccessStore.
func (s *Store) Policy(ctx context.Context) (*access.Policy, error) {
	resp, err := s.etcd.ReadTxn(ctx,
		clientv3.OpGet(s.keys.policy(), clientv3.WithPrefix()),
		clientv3.OpGet(s.keys.uses(), clientv3.WithPrefix()),
	)
	if err != nil {
		return nil, fmt.Errorf("read the tokens and role bindings: %w", err)
	}
	uses := s.decodeUses(resp.Responses[1].GetResponseRange().GetKvs())
	tokens, bindings := s.decodePolicy(resp.Responses[0].GetResponseRange().GetKvs(), uses)
	return access.NewPolicy(bindings, tokens), nil
}
