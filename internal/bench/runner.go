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

// runner is the state of a run. It uses two prefixes on the cluster: that of the measured
// store, and that of the games that bare transactions change, so that the store's cache
// does not receive their changes.
type runner struct {
	cluster  Cluster
	options  Options
	progress func(Progress)

	prefix      string // of all keys of the run
	watches     *watchCounter
	store       *etcdstore.Store // nil while closed
	hasOpened   bool             // the store was opened at least once, so keys exist
	writers     []*writer
	bareWriters []*bareWriter
	loaded      int          // records in the store without the writers' games
	loadStarted int          // records that may be in the store
	peer        Peer         // the store that is compared; nil for bare etcd
	stopServer  func() error // stops the server of list-http; nil if there is none
}

const (
	// growthWriters is the number of concurrent writers of the growth row.
	growthWriters = 64
	// maxConcurrentWrites is the number of concurrent inserts while loading.
	maxConcurrentWrites = 512
)

func newRunner(cluster Cluster, options Options, progress func(Progress)) *runner {
	prefix := cluster.Prefix + "/rtmanager-bench/" + uuid.NewString()
	return &runner{cluster: cluster, options: options, progress: progress, prefix: prefix, watches: newWatchCounter(cluster.WatchClient)}
}

// storePrefix and barePrefix have the same length, so that their keys do.
func (r *runner) storePrefix() string { return r.prefix + "/store" }
func (r *runner) barePrefix() string  { return r.prefix + "/plain" }

// recordKey returns the key of the game's record in the store, for an id that needs no
// escaping.
func (r *runner) recordKey(game string) string { return r.storePrefix() + recordFamily + game }

// open opens the store and creates the games of all writers.
func (r *runner) open(ctx context.Context) error {
	r.progress(Progress{Activity: "open under " + r.prefix})
	if err := r.reopenStore(ctx); err != nil {
		return err
	}
	plain, err := r.openStore(ctx, etcdstore.Options{Prefix: r.barePrefix(), NoCache: true})
	if err != nil {
		return err
	}
	defer func() { _ = plain.Close() }() // always nil
	count := max(r.options.Writers, growthWriters)
	r.writers, r.bareWriters = make([]*writer, count), make([]*bareWriter, count)
	return writeConcurrently(ctx, count, nil, func(ctx context.Context, i int) (err error) {
		if r.writers[i], err = newWriter(ctx, r.store, writerGame(i)); err != nil {
			return err
		}
		r.bareWriters[i], err = r.newBareWriter(ctx, plain, writerGame(i))
		return err
	})
}

// openStore opens a store without waiting for its cache.
func (r *runner) openStore(ctx context.Context, options etcdstore.Options) (*etcdstore.Store, error) {
	timeout := cmp.Or(r.cluster.OpenTimeout, 15*time.Second)
	bound, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	options.WatchClient = r.watches.client
	store, err := etcdstore.Open(bound, r.cluster.Client, options)
	if err != nil && bound.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("etcd: %w: no response within %s (--etcd-dial-timeout): %s", runtime.ErrUnavailable, timeout, err.Error())
	}
	return store, err
}

// reopenStore closes the measured store and opens it with an empty cache.
func (r *runner) reopenStore(ctx context.Context) (err error) {
	r.closeStore()
	if r.store, err = r.openStore(ctx, etcdstore.Options{Prefix: r.storePrefix()}); err != nil {
		r.store = nil
		return err
	}
	r.hasOpened = true
	return nil
}

func (r *runner) closeStore() {
	if r.store != nil {
		_ = r.store.Close() // always nil
		r.store = nil
	}
}

// waitForCache waits until the store serves reads from its cache.
func (r *runner) waitForCache(ctx context.Context) error {
	r.progress(Progress{Activity: "wait for the store's cache"})
	if err := r.store.Ready(ctx); err != nil {
		return fmt.Errorf("wait for the store's cache: %w", err)
	}
	return nil
}

// load inserts records until the store contains the total.
func (r *runner) load(ctx context.Context, total int) error {
	if r.loaded >= total {
		return nil
	}
	from := r.loaded
	r.loadStarted = total
	report := func(done int) {
		r.progress(Progress{Activity: fmt.Sprintf("load %d records", total), Done: from + done, Total: total})
	}
	err := writeConcurrently(ctx, total-from, report, func(ctx context.Context, i int) error {
		return r.store.Upsert(ctx, newRecord(from+i, r.options.selectedRecords()))
	})
	if err != nil {
		return fmt.Errorf("load %d records: %w", total, err)
	}
	r.loaded = total
	return nil
}

// writeConcurrently calls write for 0 to count-1, maxConcurrentWrites at a time, and calls
// report regularly with the number of writes done. It waits for writes in progress also
// if ctx ends.
func writeConcurrently(ctx context.Context, count int, report func(done int), write func(ctx context.Context, i int) error) error {
	calls, cancel := withGrace(ctx)
	defer cancel()
	var next, done atomic.Int64
	var hasFailed atomic.Bool
	faults := make([]error, min(count, maxConcurrentWrites))
	var wg sync.WaitGroup
	for worker := range faults {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < count && ctx.Err() == nil && !hasFailed.Load(); i = int(next.Add(1)) - 1 {
				if err := write(calls, i); err != nil {
					faults[worker] = err
					hasFailed.Store(true)
				}
				done.Add(1)
			}
		})
	}
	reportUntilDone(&wg, func() {
		if report != nil {
			report(int(done.Load()))
		}
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return firstError(faults)
}

// reportUntilDone calls report at once, regularly, and when all goroutines have ended.
func reportUntilDone(wg *sync.WaitGroup, report func()) {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		report()
		select {
		case <-done:
			report()
			return
		case <-ticker.C:
		}
	}
}

// currentRevision returns etcd's current revision.
func (r *runner) currentRevision(ctx context.Context) (int64, error) {
	resp, err := r.cluster.Client.Get(ctx, r.prefix, clientv3.WithKeysOnly())
	if err != nil {
		return 0, err
	}
	return resp.Header.GetRevision(), nil
}
