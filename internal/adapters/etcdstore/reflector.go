package etcdstore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/watchconn"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// reflector lists all records into the cache and watches them into cache and event log, for
// as long as the store is open. It relists if the watch cannot be resumed.
type reflector struct {
	etcd     *etcd.Client
	keys     layout.Keys
	source   *watchconn.Source
	logger   *slog.Logger
	counters *counters

	cache *recordcache.Cache
	// knownIntents are those of the store, which are dropped together with the records.
	knownIntents *knownIntents
	eventLog     *recordcache.EventLog
	// servedLocally is that of local reads from etcd.
	servedLocally monotonicRevision

	// freshTimeout is the least time that a reader waits for the cache before it reads from
	// etcd; readDuration is that of the last linearizable read, in nanoseconds.
	freshTimeout time.Duration
	readDuration atomic.Int64
	// consistencyInterval is the mean time between two consistency checks.
	consistencyInterval time.Duration

	reconnectState watchconn.Reconnect
	position       int64 // the revision that cache and event log have reached

	mu                sync.Mutex
	conn              *watchconn.Conn // the current one; nil while there is none
	progressRequested int64           // the revision that the last progress request was for
	lastErr           error           // why the cache is not synced or not followed, nil for nothing
	invalidCause      error           // why the cache must be filled from etcd; nil if it need not be

	// failed receives why the store no longer exists; foreignErrors counts the responses in
	// sequence that report it.
	failed        chan error
	foreignErrors int
	// provenAt is when etcd last proved that cache or watch are current, in Unix nanoseconds.
	provenAt atomic.Int64

	loops sync.WaitGroup // run and consistencyLoop
}

// maxForeignErrors is how many responses of another cluster, without one of the store's own in
// between, mean that it has replaced the store. One alone can come from a wrong endpoint.
const maxForeignErrors = 5

// countForeign counts a failure of the watch or the list, and reports a store that no longer
// exists.
func (r *reflector) countForeign(failure error) {
	if !errors.Is(failure, runtime.ErrIncompatible) {
		r.foreignErrors = 0
		return
	}
	if r.foreignErrors++; r.foreignErrors >= maxForeignErrors {
		select {
		case r.failed <- failure:
		default: // reported already
		}
	}
}

// noteProof records that etcd has just proved that cache and watch are current.
func (r *reflector) noteProof() { r.provenAt.Store(time.Now().UnixNano()) }

func newReflector(s *Store) *reflector {
	r := &reflector{
		etcd: s.etcd, keys: s.keys, source: s.source, logger: s.logger, counters: &s.counters,
		cache:    recordcache.New(s.keys),
		eventLog: recordcache.NewEventLog(s.opts.MaxLogChanges),

		knownIntents: s.knownIntents,

		consistencyInterval: s.opts.ConsistencyInterval,
		freshTimeout:        s.opts.FreshTimeout,
		reconnectState:      s.source.NewReconnect(),
		failed:              make(chan error, 1),
	}
	r.loops.Add(2)
	return r
}

// wait waits for both loops, which end with their ctx.
func (r *reflector) wait() { r.loops.Wait() }

// run lists and watches until ctx ends.
func (r *reflector) run(ctx context.Context) {
	defer r.loops.Done()
	err := r.list(ctx)
	for ctx.Err() == nil {
		if err == nil {
			err = r.watch(ctx)
		}
		if cause := r.takeInvalidation(); cause != nil && !errors.Is(err, runtime.ErrForeignRevision) {
			err = cause
		}
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, watchconn.ErrSlowConsumer):
			err = nil
		case errors.Is(err, watchconn.ErrBroken), errors.Is(err, runtime.ErrUnavailable):
			err = r.reconnect(ctx, err)
		default:
			err = r.relist(ctx, err)
		}
	}
	r.eventLog.Invalidate(false)
	r.cache.Reset()
}

// list reads every record at one revision. It reads the next page while it decodes the last
// one: with many records both take long.
func (r *reflector) list(ctx context.Context) error {
	pages := make(chan []*mvccpb.KeyValue)
	var revision int64
	var err error
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(pages)
		family := r.keys.Records()
		revision, err = r.etcd.ScanRange(ctx, etcd.ScanRange{Family: family, From: family, Stream: true}, func(_ int64, kvs []*mvccpb.KeyValue) (bool, error) {
			pages <- kvs
			return true, nil
		})
	})
	records := recordcache.NewIndexes()
	for kvs := range pages {
		records.AddAll(r.keys, kvs)
	}
	reader.Wait()
	if err != nil {
		return err
	}
	records.Revision = revision
	if revision < r.position {
		r.eventLog.Invalidate(true) // the revision of etcd went back
	}
	r.position = revision
	r.eventLog.Start(revision)
	r.cache.Fill(records)
	r.noteProof()
	r.mu.Lock()
	r.lastErr = nil
	r.mu.Unlock()
	return nil
}

// watch applies every change after the position until its connection ends.
func (r *reflector) watch(ctx context.Context) error {
	conn := r.source.Open(ctx, r.position, false)
	defer conn.Close()
	defer r.setConn(nil)
	r.setConn(conn)
	r.reconnectState.Apply(conn)
	for {
		resp, err := conn.Next(ctx, r.position)
		if err != nil {
			return err
		}
		r.reconnectState.OnResponse(conn, len(resp.Events))
		isNew := r.applyResponse(resp)
		if !isNew && !conn.IsProgressPending() {
			r.cache.SetWatchHealthy(true)
		}
		if !conn.IsProgressPending() {
			r.noteProof()
		}
	}
}

// applyResponse applies a response to cache and event log, and reports whether it moved their
// position. If it did, the cache marks its watch as healthy.
func (r *reflector) applyResponse(resp clientv3.WatchResponse) (isNew bool) {
	events := resp.Events
	for len(events) > 0 && events[0].Kv.GetModRevision() <= r.position {
		events = events[1:] // applied before the watch was reopened
	}
	position := r.position
	if len(events) > 0 {
		position = events[len(events)-1].Kv.GetModRevision()
	} else if resp.IsProgressNotify() {
		position = max(position, resp.Header.GetRevision())
	}
	if position == r.position {
		return false
	}
	r.cache.Apply(events, position, r.eventLog.Append)
	r.position = position
	return true
}

// reconnect waits for the backoff and checks that the store still exists, before a broken
// watch is reopened.
func (r *reflector) reconnect(ctx context.Context, failure error) error {
	r.cache.SetWatchHealthy(false)
	r.logCacheError(failure)
	if !r.reconnectState.Wait(ctx, r.position, failure) {
		return ctx.Err()
	}
	if hasSynced, _ := r.cache.HasSynced(); !hasSynced {
		return r.list(ctx)
	}
	_, err := r.source.CheckRevision(ctx, r.position)
	return err
}

// relist fills the cache from etcd after an error that a new watch would not fix: compacted
// or foreign history, or a revoked permission. Until then no reader is served from the cache,
// but each may read from etcd.
func (r *reflector) relist(ctx context.Context, failure error) error {
	r.countForeign(failure)
	r.cache.Reset() // first: a stream that starts from it now must not get the new epoch
	r.knownIntents.reset()
	isForeign := errors.Is(failure, runtime.ErrForeignRevision) || errors.Is(failure, runtime.ErrIncompatible)
	r.eventLog.Invalidate(isForeign)
	if isForeign {
		r.servedLocally.Reset()
	}
	r.logCacheError(failure)
	if !r.reconnectState.Wait(ctx, r.position, failure) {
		return ctx.Err()
	}
	return r.list(ctx)
}

// logCacheError records why the cache is not synced, and logs it once per reason. A watch that
// breaks while the cache is synced is logged by the Reconnect state.
func (r *reflector) logCacheError(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	hasSynced, _ := r.cache.HasSynced()
	if !hasSynced && (r.lastErr == nil || r.lastErr.Error() != err.Error()) {
		r.logger.Warn("the cache cannot be filled; reads use etcd until it is", "error", err)
	}
	r.lastErr = err
}

// LastError returns why the cache is not usable at present, as far as it is known.
func (r *reflector) LastError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lastErr
}

// invalidate stops the use of the cache at once and makes run relist. It is safe for
// concurrent use.
func (r *reflector) invalidate(cause error) {
	// The event log first: what the watch still reports would be compared with records that
	// the cache has dropped, and no subscriber may get that.
	r.eventLog.Invalidate(false)
	r.cache.Reset()
	r.knownIntents.reset()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.invalidCause = cause
	if r.conn != nil {
		r.conn.Cancel()
	}
}

// takeInvalidation returns the cause of the last invalidate since the previous call, nil for
// none.
func (r *reflector) takeInvalidation() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	cause := r.invalidCause
	r.invalidCause = nil
	return cause
}

func (r *reflector) setConn(conn *watchconn.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conn, r.progressRequested = conn, 0
	if conn != nil && r.invalidCause != nil {
		conn.Cancel() // invalidated while there was no connection to cancel
	}
}

// waitUntilFresh waits for the cache to reach the revision and reports whether it has.
func (r *reflector) waitUntilFresh(ctx context.Context, revision int64) bool {
	// The response to a request for progress takes about as long as the read did.
	timeout := max(r.freshTimeout, readsPerFreshTimeout*time.Duration(r.readDuration.Load()))
	return r.cache.WaitUntilFresh(ctx, revision, timeout, func(isRetry bool) { r.requestProgress(revision, isRetry) })
}

// readsPerFreshTimeout is how many durations of a linearizable read a reader waits for the
// cache at least.
const readsPerFreshTimeout = 4

// earlyProgressDelay is how long a linearizable read takes before the progress of the watch is
// requested at the same time. etcd nearby responds faster.
const earlyProgressDelay = 2 * time.Millisecond

// readRevision calls a linearizable read. If etcd is far, it also requests the progress of the
// watch meanwhile, so that the reader need not wait for one round trip after the other.
func (r *reflector) readRevision(ctx context.Context, read func(context.Context) (int64, error)) (int64, error) {
	early := time.AfterFunc(earlyProgressDelay, func() { r.requestProgress(0, true) })
	defer early.Stop()
	startedAt := time.Now()
	revision, err := read(ctx)
	if err == nil {
		r.readDuration.Store(int64(time.Since(startedAt)))
	}
	return revision, err
}

// requestProgress requests the progress of the watch, once per revision that a reader waits
// for, and for each retry.
func (r *reflector) requestProgress(revision int64, isRetry bool) {
	r.mu.Lock()
	conn, isDue := r.conn, isRetry || revision > r.progressRequested
	r.progressRequested = max(r.progressRequested, revision)
	r.mu.Unlock()
	if conn != nil && isDue {
		conn.RequestProgress()
	}
}
