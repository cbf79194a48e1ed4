package etcdstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/lifetime"
	"galaxy/rtmanager/internal/ports"
)

var (
	_ ports.Store       = (*Store)(nil)
	_ ports.IntentStore = (*Store)(nil)
)

// Options tune a store. The zero value works.
type Options struct {
	// Prefix goes before every key, so that a cluster can be shared; it is best
	// a path such as "/eu". A trailing slash makes no difference. Empty is the
	// root.
	Prefix string
	// WatchClient, when not nil, makes the watches, so that they have a connection
	// of their own: a large read on a shared one holds up its watches.
	WatchClient *clientv3.Client
	// CallTimeout bounds one request to etcd; default 3 s. A request that meets
	// it is repeated while its operation lasts.
	CallTimeout time.Duration
	// OperationTimeout bounds a write, and each page of a read, whose caller set no
	// deadline; default 15 s. A caller's own deadline counts as it is.
	OperationTimeout time.Duration
	// ProbeInterval is how long a watch may be silent before the store asks
	// etcd whether it is still alive, and how long etcd then has to answer
	// before the watch is opened anew; default 2 s. Bookmarks come at this pace.
	ProbeInterval time.Duration
	// NoCache keeps no copy of the records: every read and the basis of every
	// write come from etcd, and each Watch has an etcd watch of its own.
	NoCache bool
	// CompareInterval is about how often the cache is held against etcd; default
	// 5 min.
	CompareInterval time.Duration
	// NoGroupCommit sends every write to etcd on its own, however many there are.
	NoGroupCommit bool
	// Logger hears of healed watches and repeated requests; nil is silence.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.CallTimeout <= 0 {
		o.CallTimeout = 3 * time.Second
	}
	if o.OperationTimeout <= 0 {
		o.OperationTimeout = 15 * time.Second
	}
	if o.ProbeInterval <= 0 {
		o.ProbeInterval = 2 * time.Second
	}
	if o.CompareInterval <= 0 {
		o.CompareInterval = 5 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Store keeps runtime records on one etcd cluster, under one prefix. It is safe
// for concurrent use. Several stores, in one process or in many, may work on
// the same prefix.
type Store struct {
	client *clientv3.Client
	etcd   *etcd.Client // client with timeouts and retries
	// watchClient is client where none was given for watches.
	watchClient *clientv3.Client
	keys        layout.Keys
	opts        Options
	log         *slog.Logger
	group       *group // nil where every write is sent on its own
	feed        *feed  // nil where there is no cache
	barrier     *barrier
	count       counters
	id          string
	life        *lifetime.Lifetime // of operations, watches and goroutines
}

// errClosed ends the operations of a store that is closed.
var errClosed = fmt.Errorf("the store is %w", etcd.ErrClosed)

// Open returns a store on the cluster that client talks to. It reads the
// store's identity, and writes one where there is none yet.
//
// The clients stay the caller's: Close does not close them. A client that repeats
// requests by itself does no harm, since every write compares a revision. With
// the in-process client of an embedded member the store works as over the
// network.
//
// It returns runtime.ErrIncompatible for a layout newer than this version's,
// runtime.ErrCorrupt for an identity that it cannot read, and
// runtime.ErrUnavailable when etcd does not answer before ctx, or else
// Options.OperationTimeout, ends.
func Open(ctx context.Context, client *clientv3.Client, opts Options) (*Store, error) {
	s := &Store{
		client: client, watchClient: cmp.Or(opts.WatchClient, client),
		keys: layout.NewKeys(opts.Prefix), opts: opts.withDefaults(),
	}
	s.log = s.opts.Logger
	if !s.opts.NoGroupCommit {
		s.group = &group{store: s}
	}
	s.life = lifetime.New(ctx)
	s.etcd = etcd.NewClient(client, etcd.Options{
		CallTimeout: s.opts.CallTimeout, OperationTimeout: s.opts.OperationTimeout, Logger: s.log,
		SeenRevision: s.cachedUpTo, OnRegression: func(err error) { s.feed.distrust(err) },
	})

	id, err := s.loadOrCreateID(ctx)
	if err != nil {
		s.life.Close(errClosed)
		return nil, err
	}
	s.id = id
	if !s.opts.NoCache {
		s.barrier = &barrier{store: s}
		s.feed = newFeed(s)
		go s.feed.run(s.life.Context())
		go s.feed.compareForever(s.life.Context())
	}
	return s, nil
}

// ID returns the identity of the store, which its revisions belong to.
func (s *Store) ID() string { return s.id }

// Ready waits until the store's cache holds every record. Until then reads and
// watches are answered by etcd itself: correct, but slower. It returns at once for
// a store without a cache, and the reason when ctx or the store ends first.
func (s *Store) Ready(ctx context.Context) error {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	for {
		ready, moved := s.filled()
		if ready {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return etcd.Unavailable(ctx, cmp.Or(s.feed.troubled(), errNotFilled))
		}
	}
}

var errNotFilled = errors.New("the cache has not been filled from etcd")

// filled reports whether the cache holds every record, and what to wait on where
// it does not.
func (s *Store) filled() (bool, <-chan struct{}) {
	if s.feed == nil {
		return true, nil
	}
	return s.feed.cache.isFilled()
}

// Close ends every call and every watch of the store and waits for them. It
// may be called more than once and always returns nil.
func (s *Store) Close() error {
	s.life.Close(errClosed)
	if s.group != nil {
		s.group.close()
	}
	if s.feed != nil {
		s.barrier.close()
		<-s.feed.done
		<-s.feed.compared
	}
	return nil
}

// begin starts an operation: it ends with ctx or with the store. The returned
// function must be called when the operation is over.
func (s *Store) begin(ctx context.Context) (context.Context, func(), error) {
	if ctx.Err() != nil {
		return nil, nil, etcd.ContextError(ctx)
	}
	bound, end, err := s.life.Begin(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", runtime.ErrUnavailable, err)
	}
	return bound, end, nil
}

// cachedUpTo is the revision that the cache has come to, 0 where there is none.
func (s *Store) cachedUpTo() int64 {
	if s.feed == nil {
		return 0
	}
	revision, _, _, _ := s.feed.cache.state()
	return revision
}
