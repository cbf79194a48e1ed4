package bench

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
)

// rig is what a run works on: two prefixes on the cluster, one of the store
// that is measured and one of games that bare transactions change, so that
// these do not pay for the store's cache.
type rig struct {
	cluster  Cluster
	options  Options
	progress func(Progress)

	prefix  string // of everything
	watches *countedWatches
	store   *etcdstore.Store // nil while there is none
	opened  bool             // there has been one, so there are keys
	writers []*writer
	bare    []*bareWriter
	loaded  int // records in the store, not counting the writers' games
	begun   int // records that may be in the store
}

const (
	// growthWriters is how many update at once to see the cost of growth.
	growthWriters = 64
	// loaders is how many insert records at once.
	loaders = 512
)

func newRig(cluster Cluster, options Options, progress func(Progress)) *rig {
	prefix := cluster.Prefix + "/rtmanager-bench/" + uuid.NewString()
	return &rig{cluster: cluster, options: options, progress: progress, prefix: prefix, watches: countWatches(cluster.WatchClient)}
}

// storePrefix and barePrefix are of one length, so that their keys are.
func (r *rig) storePrefix() string { return r.prefix + "/store" }
func (r *rig) barePrefix() string  { return r.prefix + "/plain" }

// recordKey is where the store keeps a game whose id needs no escapes.
func (r *rig) recordKey(game string) string { return r.storePrefix() + recordFamily + game }

// open opens the store and makes the games of all writers.
func (r *rig) open(ctx context.Context) error {
	r.progress(Progress{Doing: "open under " + r.prefix})
	if err := r.reopen(ctx); err != nil {
		return err
	}
	plain, err := r.openStore(ctx, etcdstore.Options{Prefix: r.barePrefix(), NoCache: true})
	if err != nil {
		return err
	}
	defer func() { _ = plain.Close() }() // always nil
	count := max(r.options.Writers, growthWriters)
	r.writers, r.bare = make([]*writer, count), make([]*bareWriter, count)
	return inParallel(ctx, count, nil, func(ctx context.Context, i int) (err error) {
		if r.writers[i], err = newWriter(ctx, r.store, gameOfWriter(i)); err != nil {
			return err
		}
		r.bare[i], err = newBareWriter(ctx, r.cluster.Client, plain, r.barePrefix(), gameOfWriter(i))
		return err
	})
}

// openStore opens a store. It does not wait for its cache.
func (r *rig) openStore(ctx context.Context, options etcdstore.Options) (*etcdstore.Store, error) {
	timeout := cmp.Or(r.cluster.OpenTimeout, 15*time.Second)
	bound, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	options.WatchClient = r.watches.client
	store, err := etcdstore.Open(bound, r.cluster.Client, options)
	if err != nil && bound.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("etcd: %w: no answer within %s (--etcd-dial-timeout): %s", runtime.ErrUnavailable, timeout, err.Error())
	}
	return store, err
}

// reopen opens the store that is measured anew, with an empty cache.
func (r *rig) reopen(ctx context.Context) (err error) {
	r.closeStore()
	if r.store, err = r.openStore(ctx, etcdstore.Options{Prefix: r.storePrefix()}); err != nil {
		r.store = nil
		return err
	}
	r.opened = true
	return nil
}

func (r *rig) closeStore() {
	if r.store != nil {
		_ = r.store.Close() // always nil
		r.store = nil
	}
}

// awaitReady waits until the store answers from its cache.
func (r *rig) awaitReady(ctx context.Context) error {
	r.progress(Progress{Doing: "wait for the store's cache"})
	if err := r.store.Ready(ctx); err != nil {
		return fmt.Errorf("wait for the store's cache: %w", err)
	}
	return nil
}

// load inserts records until the store holds so many.
func (r *rig) load(ctx context.Context, total int) error {
	if r.loaded >= total {
		return nil
	}
	from := r.loaded
	r.begun = total
	tell := func(done int) {
		r.progress(Progress{Doing: fmt.Sprintf("load %d records", total), Done: from + done, Total: total})
	}
	err := inParallel(ctx, total-from, tell, func(ctx context.Context, i int) error {
		return r.store.Upsert(ctx, record(from+i, r.options.rare()))
	})
	if err != nil {
		return fmt.Errorf("load %d records: %w", total, err)
	}
	r.loaded = total
	return nil
}

// inParallel makes the writes 0 to count-1, many at once, and tells now and then
// how many are done. A write that has begun is waited for, also when ctx ends.
func inParallel(ctx context.Context, count int, tell func(done int), write func(ctx context.Context, i int) error) error {
	calls, cancel := outlast(ctx)
	defer cancel()
	var next, done atomic.Int64
	var failed atomic.Bool
	faults := make([]error, min(count, loaders))
	var running sync.WaitGroup
	for worker := range faults {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < count && ctx.Err() == nil && !failed.Load(); i = int(next.Add(1)) - 1 {
				if err := write(calls, i); err != nil {
					faults[worker] = err
					failed.Store(true)
				}
				done.Add(1)
			}
		})
	}
	tellUntil(&running, func() {
		if tell != nil {
			tell(int(done.Load()))
		}
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return firstOf(faults)
}

// tellUntil tells now, from time to time, and when all have ended.
func tellUntil(running *sync.WaitGroup, tell func()) {
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		tell()
		select {
		case <-ended:
			tell()
			return
		case <-ticker.C:
		}
	}
}

// head returns etcd's revision as of now.
func (r *rig) head(ctx context.Context) (int64, error) {
	resp, err := r.cluster.Client.Get(ctx, r.prefix, clientv3.WithKeysOnly())
	if err != nil {
		return 0, err
	}
	return resp.Header.GetRevision(), nil
}
