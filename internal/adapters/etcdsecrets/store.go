package etcdsecrets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.SecretStore = (*Store)(nil)

// Options configure a Store. The zero value is valid.
type Options struct {
	// Prefix is the prefix of every key; that of the store of the records.
	Prefix string
	// ClusterID is the id of the etcd cluster, whose responses are the only accepted ones; 0
	// accepts the first cluster that responds.
	ClusterID uint64
	// CallTimeout bounds one request at least. Default 5 s.
	CallTimeout time.Duration
	// OperationTimeout bounds one method, for callers without a deadline. Default 20 s.
	OperationTimeout time.Duration
	// Logger reports retries at debug level; nil discards them.
	Logger *slog.Logger
}

// Store implements ports.SecretStore on one etcd cluster. It is safe for concurrent use, and
// several stores may work on the same prefix.
type Store struct {
	etcd   *etcd.Client
	prefix string
}

// New returns a store. It sends no request. The caller closes the client.
func New(client *clientv3.Client, opts Options) *Store {
	s := &Store{prefix: opts.Prefix, etcd: etcd.NewClient(client, etcd.Options{
		CallTimeout:      cmp.Or(opts.CallTimeout, 5*time.Second),
		OperationTimeout: cmp.Or(opts.OperationTimeout, 20*time.Second),
		Logger:           opts.Logger,
	})}
	if opts.ClusterID != 0 {
		s.etcd.SetClusterID(opts.ClusterID)
	}
	return s
}

// GetSecrets implements ports.SecretStore by one linearizable transaction.
func (s *Store) GetSecrets(ctx context.Context, names ...string) ([]ports.VersionedSecret, error) {
	gets := make([]clientv3.Op, len(names))
	for i, name := range names {
		gets[i] = clientv3.OpGet(etcd.SecretKey(s.prefix, name))
	}
	kvs, err := s.etcd.GetEach(ctx, gets)
	if err != nil {
		return nil, fmt.Errorf("get %d secrets: %w", len(names), err)
	}
	found := make([]ports.VersionedSecret, len(names))
	for i, kv := range kvs {
		if kv == nil {
			continue
		}
		if found[i], err = s.decode(kv); err != nil {
			return nil, fmt.Errorf("get secret %q: %w", names[i], err)
		}
	}
	return found, nil
}

// ListSecrets implements ports.SecretStore by a scan at one revision. It returns every secret
// that it can decode, together with the errors of the others.
func (s *Store) ListSecrets(ctx context.Context) ([]ports.VersionedSecret, error) {
	var corrupt []error
	family := etcd.SecretsPrefix(s.prefix)
	list, err := etcd.RetryOnCompaction(ctx, func(ctx context.Context) ([]ports.VersionedSecret, error) {
		list := []ports.VersionedSecret{}
		corrupt = nil
		_, err := s.etcd.Scan(ctx, family, family, 0, func(_ int64, kvs []*mvccpb.KeyValue) (bool, error) {
			for _, kv := range kvs {
				decoded, err := s.decode(kv)
				if err != nil {
					corrupt = append(corrupt, err)
					continue
				}
				list = append(list, decoded)
			}
			return true, nil
		})
		return list, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the secrets: %w", err)
	}
	return list, errors.Join(corrupt...)
}
