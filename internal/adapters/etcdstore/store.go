package etcdstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/utils/lru"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/batcher"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/readindex"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/watchconn"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/lifetime"
	"galaxy/rtmanager/internal/ports"
)

var (
	_ ports.RuntimeRecordStore = (*Store)(nil)
	_ ports.RuntimeWriter      = (*Store)(nil)
	_ ports.ConditionWriter    = (*Store)(nil)
	_ ports.RuntimeDeleter     = (*Store)(nil)
	_ ports.RuntimeReader      = (*Store)(nil)
	_ ports.RuntimeLedger      = (*Store)(nil)
	_ ports.RuntimeWatcher     = (*Store)(nil)
	_ ports.StoreInspector     = (*Store)(nil)
	_ ports.StoreIdentity      = (*Store)(nil)
	_ ports.IntentStore        = (*Store)(nil)
)

// Store keeps runtime records and intents on one etcd cluster, under one prefix. It is safe
// for concurrent use. Several stores, in one process or in many, may work on the same
// prefix.
type Store struct {
	ports.RecordFacade // Get, Upsert, UpdateStatus, List and ListByStatus

	etcd   *etcd.Client
	keys   layout.Keys
	opts   Options
	logger *slog.Logger
	source *watchconn.Source // of watches on all records
	life   *lifetime.Lifetime

	batcher     *batcher.Batcher       // nil with NoGroupCommit
	reflector   *reflector             // nil with NoCache
	readIndexer *readindex.ReadIndexer // nil with NoCache
	counters    counters
	deletions   *lru.Cache // deletionKeys of the latest successful deletions

	knownIntents *knownIntents

	// id is durableID with the id of the cluster.
	id, durableID string

	schema string // value of the schema key
}

// errClosed is the cause of operations that end because the store is closed.
var errClosed = fmt.Errorf("the store is %w", etcd.ErrClosed)

// Open returns a store on the cluster that client talks to. It reads the store's identity,
// and creates one if there is none.
//
// The caller keeps the clients: Close does not close them. A client may resend a request only
// if etcd has not executed it, as clientv3 does. The store works with the in-process
// client of an embedded member as it does over the network.
//
// It returns runtime.ErrIncompatible for another layout version than this one's,
// runtime.ErrCorrupt for an identity that cannot be read, and runtime.ErrUnavailable if etcd
// does not respond before ctx, or else Options.OperationTimeout, ends.
func Open(ctx context.Context, client *clientv3.Client, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	s := &Store{keys: layout.NewKeys(opts.Prefix), opts: opts, logger: opts.Logger, life: lifetime.New(ctx), deletions: lru.New(maxStoredDeletions), knownIntents: newKnownIntents()}
	s.RecordFacade = ports.NewRecordFacade(s)
	s.etcd = etcd.NewClient(client, etcd.Options{
		CallTimeout: opts.CallTimeout, OperationTimeout: opts.OperationTimeout, Logger: s.logger,
		SeenRevision: s.cachedRevision, OnRegression: func(err error) { s.reflector.invalidate(err) },
	})
	s.source = &watchconn.Source{
		Etcd: s.etcd, Watcher: cmp.Or(opts.WatchClient, client), Prefix: s.keys.Records(), ProbeKey: s.keys.Schema(),
		ProbeInterval: opts.ProbeInterval, Logger: s.logger,
	}
	if !opts.NoGroupCommit {
		s.batcher = batcher.New(s.life.Context(), s.etcd)
	}
	if err := s.loadOrCreateID(ctx); err != nil {
		s.life.Close(errClosed)
		return nil, err
	}
	if !opts.NoCache {
		s.readIndexer = readindex.New(s.life.Context(), s.readRevision)
		s.reflector = newReflector(s)
		go s.reflector.run(s.life.Context())
		go s.reflector.consistencyLoop(s.life.Context())
	}
	return s, nil
}

// ID implements ports.StoreIdentity.
func (s *Store) ID() string { return s.id }

// DurableID returns the part of the store's identity that a restore from a backup keeps. It is
// not unique: a store and its restored copy share it.
func (s *Store) DurableID() string { return s.durableID }

// ClusterID returns the id of the etcd cluster to which the store belongs.
func (s *Store) ClusterID() uint64 { return s.etcd.ClusterID() }

// Failed returns a channel that receives runtime.ErrIncompatible once etcd has been replaced by
// another cluster. The store cannot be used any more then; open another one. A store without
// a cache does not detect it.
func (s *Store) Failed() <-chan error {
	if s.reflector == nil {
		return nil
	}
	return s.reflector.failed
}

// errNotSynced is why a cache without all records is not ready.
var errNotSynced = errors.New("the cache has not been filled from etcd")

// Ready waits until the store's cache holds every record. Until then etcd serves reads and
// watches: correctly, but slower. It returns at once for a store without a cache. If ctx or
// the store ends first, it returns the reason.
func (s *Store) Ready(ctx context.Context) error {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if s.reflector == nil {
		return nil
	}
	for {
		hasSynced, changed := s.reflector.cache.HasSynced()
		if hasSynced {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return etcd.UnavailableError(ctx, cmp.Or(s.reflector.LastError(), errNotSynced))
		}
	}
}

// Close ends every operation and every watch of the store and waits for them. It may be
// called more than once and always returns nil.
func (s *Store) Close() error {
	s.life.Close(errClosed)
	if s.batcher != nil {
		s.batcher.Close()
	}
	if s.reflector != nil {
		s.readIndexer.Close()
		s.reflector.wait()
	}
	return nil
}

// begin starts an operation, which ends with ctx or with the store. The caller must call end
// when the operation is over.
func (s *Store) begin(ctx context.Context) (bound context.Context, end func(), err error) {
	if ctx.Err() != nil {
		return nil, nil, etcd.ContextError(ctx)
	}
	bound, end, err = s.life.Begin(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", runtime.ErrUnavailable, err)
	}
	return bound, end, nil
}

// cachedRevision returns the revision that the cache has reached, 0 without a cache.
func (s *Store) cachedRevision() int64 {
	if s.reflector == nil {
		return 0
	}
	return s.reflector.cache.Revision()
}
