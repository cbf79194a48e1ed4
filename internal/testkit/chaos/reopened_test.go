package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/regions"
)

// store is a store in this process, some of whose requests are lost. Restart opens another one on
// the same etcd, as the restart of a daemon does. Calls in progress then fail.
type store struct {
	cluster *regions.Cluster
	current atomic.Pointer[etcdstore.Store]

	mu     sync.Mutex
	client *clientv3.Client // of current; guarded by mu
	faults *requestFaults
}

func openStore(t *testing.T, cluster *regions.Cluster) *store {
	t.Helper()
	s := &store{cluster: cluster}
	require.NoError(t, s.open(t.Context()))
	t.Cleanup(func() { _ = s.close() })
	return s
}

func (s *store) open(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	client, err := clientv3.New(s.cluster.ClientConfig(s.cluster.Endpoints()...))
	if err != nil {
		return err
	}
	faults := injectRequestFaults(client)
	opened, err := etcdstore.Open(ctx, client, etcdstore.Options{})
	if err != nil {
		return errors.Join(fmt.Errorf("open a store: %w", err), client.Close())
	}
	s.client, s.faults = client, faults
	s.current.Store(opened)
	return nil
}

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.current.Load().Close()
	s.faults.late.Wait()
	return errors.Join(err, s.client.Close())
}

// restart is for an etcd whose history was replaced: a store does not continue with it.
func (s *store) restart(ctx context.Context) error {
	err := s.close()
	return errors.Join(err, s.open(ctx))
}

func (s *store) GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
	return s.current.Load().GetVersioned(ctx, gameID)
}

func (s *store) GetLocal(ctx context.Context, gameID string) (runtime.VersionedRecord, int64, error) {
	return s.current.Load().GetLocal(ctx, gameID)
}

func (s *store) ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	return s.current.Load().ListPage(ctx, query)
}

func (s *store) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	return s.current.Load().Put(ctx, input)
}

func (s *store) Transition(ctx context.Context, input ports.TransitionInput) (runtime.VersionedRecord, error) {
	return s.current.Load().Transition(ctx, input)
}

func (s *store) Delete(ctx context.Context, input ports.DeleteInput) error {
	return s.current.Load().Delete(ctx, input)
}

func (s *store) Watch(ctx context.Context, options ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return s.current.Load().Watch(ctx, options)
}

func (s *store) History(ctx context.Context, gameID string) ([]runtime.LedgerEntry, error) {
	return s.current.Load().History(ctx, gameID)
}
