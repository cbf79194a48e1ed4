package etcdstore_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// staleFixture is a store whose watch receives nothing once isStopped is set.
type staleFixture struct {
	fixture
	isStopped *atomic.Bool
}

// newStaleFixture returns a store with a running "game" in its cache.
func newStaleFixture(t *testing.T, opts etcdstore.Options) staleFixture {
	t.Helper()
	client := etcdtest.InProcess(t)
	isStopped := new(atomic.Bool)
	wrapWatcher(client, func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		for resp := range open() {
			if !isStopped.Load() && !forwardOne(ctx, resp, out) {
				return
			}
		}
	})
	r := newFixture(t, client, opts)
	result := r.put(runningRecord("game"))
	r.waitForCache(result.Revision)
	return staleFixture{fixture: r, isStopped: isStopped}
}

// TestStaleCacheCausesNoError lets a cache fall behind without detecting it: every read
// and every write returns what etcd has, and a local read returns its revision.
func TestStaleCacheCausesNoError(t *testing.T) {
	t.Parallel()
	r := newStaleFixture(t, etcdstore.Options{})
	others := r.another()
	r.isStopped.Store(true)
	stale, staleAt, err := r.GetLocal(t.Context(), "game")
	require.NoError(t, err)
	transitioned := others.transition("game", runtime.StatusRunning, runtime.StatusStopped)
	inserted := others.put(runningRecord("new"))

	found, err := r.GetVersioned(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, transitioned, found, "the cache is too old for this read")
	found, err = r.GetVersioned(t.Context(), "new")
	require.NoError(t, err)
	require.Equal(t, inserted, found, "the cache does not have it")
	records, err := r.ListByStatus(t.Context(), runtime.StatusStopped)
	require.NoError(t, err)
	require.Equal(t, []string{"game"}, idsOf(records))
	page, err := r.ListPage(t.Context(), ports.PageQuery{Limit: 10})
	require.NoError(t, err)
	require.Len(t, page.Records, 2)

	local, asOf, err := r.GetLocal(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, stale, local)
	require.Equal(t, staleAt, asOf)
	page, err = r.ListPage(t.Context(), ports.PageQuery{Limit: 10, Local: true})
	require.NoError(t, err)
	require.Equal(t, staleAt, page.Revision)
	require.Len(t, page.Records, 1)
	_, asOf, err = r.GetLocal(t.Context(), "new")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.Equal(t, staleAt, asOf, "absent as of this revision")

	back := r.transition("game", runtime.StatusStopped, runtime.StatusRunning)
	require.Greater(t, back.Revision, inserted.Revision, "the cache has it running, so it would have failed")
	err = r.UpdateStatus(t.Context(), transitionInput("game", runtime.StatusStopped, runtime.StatusRunning))
	require.ErrorIs(t, err, runtime.ErrConflict)
	r.requireClean()
}

// TestConflictWithStaleCacheIsConfirmed has the cache reject a write that etcd permits. No read
// precedes it: one that waits for the cache would stop its use.
func TestConflictWithStaleCacheIsConfirmed(t *testing.T) {
	t.Parallel()
	r := newStaleFixture(t, etcdstore.Options{})
	others := r.another()
	r.isStopped.Store(true)
	others.transition("game", runtime.StatusRunning, runtime.StatusStopped)
	r.transition("game", runtime.StatusStopped, runtime.StatusRunning)
}

// TestWriteFromStaleCacheIsComparedWithEtcd has both the cache and etcd permit a write,
// although the cached revision is stale.
func TestWriteFromStaleCacheIsComparedWithEtcd(t *testing.T) {
	t.Parallel()
	r := newStaleFixture(t, etcdstore.Options{})
	others := r.another()
	r.isStopped.Store(true)
	newer := runningRecord("game")
	newer.Node = "another node"
	others.put(newer)
	stopped := r.transition("game", runtime.StatusRunning, runtime.StatusStopped)
	require.Equal(t, "another node", stopped.Record.Node, "the write is based on the record that it replaced")
	second := r.transition("game", runtime.StatusStopped, runtime.StatusRunning)
	require.Equal(t, "another node", second.Record.Node, "the next is based on its result, which no watch has reported")
	deleteGame(t, others, "game")
	_, err := r.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("game")})
	require.ErrorIs(t, err, runtime.ErrNotFound, "deleted since")
}

// TestUpdateIsOneRoundTrip counts the requests of a write whose record is cached.
func TestUpdateIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	kv := faultkv.Wrap(client)
	r := newFixture(t, client, etcdstore.Options{ProbeInterval: testTimeout}) // probes would be counted too
	r.waitForCache(r.put(runningRecord("game")).Revision)
	from, to := runtime.StatusRunning, runtime.StatusStopped
	before := kv.Counts().Total()
	for range 20 {
		r.transition("game", from, to)
		from, to = to, from
	}
	require.Equal(t, 20, kv.Counts().Total()-before)
}

// TestReadersShareOneRead holds a linearizable read while other readers arrive: all of
// them wait for one more, which starts after they arrived.
func TestReadersShareOneRead(t *testing.T) {
	t.Parallel()
	client, faults := newFaultyClient(t)
	r := newFixture(t, client, etcdstore.Options{CallTimeout: testTimeout, ProbeInterval: testTimeout, FreshTimeout: testTimeout})
	r.waitForCache(r.put(runningRecord("game")).Revision)
	var reads atomic.Int64
	started, blocked := make(chan struct{}), make(chan struct{})
	faults.OnRead(func(context.Context) error {
		if reads.Add(1) == 1 {
			close(started)
			<-blocked
		}
		return nil
	})
	var readers sync.WaitGroup
	read := func() {
		if _, err := r.Get(t.Context(), "game"); err != nil {
			t.Error(err)
		}
	}
	readers.Go(read)
	<-started
	const late = 64
	for range late {
		readers.Go(read)
	}
	require.Eventually(t, func() bool { return r.ReadIndexWaiters() == late }, testTimeout, time.Millisecond, "the late readers do not wait")
	close(blocked)
	readers.Wait()
	require.EqualValues(t, 2, reads.Load(), "reads of etcd for %d readers", late+1)
}

// TestForeignRevisionsDoNotSendReadsToEtcd has etcd's revision increase by keys of other
// programs, which the watch does not report.
func TestForeignRevisionsDoNotSendReadsToEtcd(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, client *clientv3.Client) {
		r := newFixture(t, client, etcdstore.Options{FreshTimeout: testTimeout})
		r.waitForCache(r.put(runningRecord("game")).Revision)
		before := r.CacheStats()
		for n := range 20 {
			r.putRaw("/other", fmt.Sprint(n))
			_, err := r.Get(t.Context(), "game")
			require.NoError(t, err)
		}
		after := r.CacheStats()
		require.EqualValues(t, 20, after.CachedReads-before.CachedReads, "%+v", after)
		require.Zero(t, after.Fallbacks-before.Fallbacks)
	})
}

// TestDifferenceIsDetectedAndRepaired corrupts the cache in memory, as only a bug could.
func TestDifferenceIsDetectedAndRepaired(t *testing.T) {
	t.Parallel()
	for name, corrupt := range map[string]func(fixture){
		"a record missing":     func(r fixture) { r.RemoveFromCache("game") },
		"an additional record": func(r fixture) { r.PutIntoCache(runningRecord("ghost")) },
		"a record changed":     func(r fixture) { r.changeInCache("game", func(rec *runtime.RuntimeRecord) { rec.Node = "other" }) },
		"a timestamp changed": func(r fixture) {
			r.changeInCache("game", func(rec *runtime.RuntimeRecord) { *rec.StartedAt = time.Now() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFixture(t, etcdtest.InProcess(t), etcdstore.Options{})
			s := r.watch(ports.WatchOptions{})
			s.synced()
			result := r.put(runningRecord("game"))
			s.change(result)
			r.waitForCache(result.Revision)
			require.NoError(t, r.CheckConsistency(t.Context()))
			require.Zero(t, r.CacheStats().Differences, "a correct cache")

			corrupt(r)
			require.NoError(t, r.CheckConsistency(t.Context()))
			require.EqualValues(t, 1, r.CacheStats().Differences)
			require.Eventually(t, func() bool { return r.CacheStats().Synced }, testTimeout, time.Millisecond, "refilled")
			require.NoError(t, r.CheckConsistency(t.Context()))
			require.EqualValues(t, 1, r.CacheStats().Differences, "after the repair")
			s.change(r.transition("game", runtime.StatusRunning, runtime.StatusStopped))
		})
	}
}

// changeInCache changes a record in the cache, but not in etcd.
func (r fixture) changeInCache(gameID string, change func(*runtime.RuntimeRecord)) {
	r.t.Helper()
	found, _, err := r.GetLocal(r.t.Context(), gameID)
	require.NoError(r.t, err)
	change(&found.Record)
	r.PutIntoCache(found.Record)
}

// TestLocalReadsOutliveEtcd stops etcd: local reads still return the cached records.
func TestLocalReadsOutliveEtcd(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a second")
	}
	t.Parallel()
	server := etcdtest.Start(t)
	r := newFixture(t, server.Client(), etcdstore.Options{CallTimeout: 500 * time.Millisecond, OperationTimeout: 2 * time.Second, ProbeInterval: probeInterval})
	result := r.put(runningRecord("game"))
	r.waitForCache(result.Revision)
	server.Stop()
	_, err := r.Get(t.Context(), "game")
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	found, asOf, err := r.GetLocal(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, result, found)
	require.Equal(t, result.Revision, asOf)
	server.Restart()
}

func TestReadyWaitsForTheCache(t *testing.T) {
	t.Parallel()
	client, faults := newFaultyClient(t)
	prefix := etcdtest.Prefix(t)
	newFixture(t, etcdtest.InProcess(t), etcdstore.Options{Prefix: prefix})
	blocked := make(chan struct{})
	var reads atomic.Int64
	faults.OnRead(func(ctx context.Context) error {
		if reads.Add(1) <= 2 {
			return nil // of the store's identity, and of those of stores that would overlap it
		}
		select {
		case <-blocked:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	r := newFixture(t, client, etcdstore.Options{Prefix: prefix})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.Ready(canceled), context.Canceled)
	require.False(t, r.CacheStats().Synced)
	close(blocked)
	require.NoError(t, r.Ready(within(t, testTimeout)))
	require.True(t, r.CacheStats().Synced)

	plain := newFixture(t, etcdtest.InProcess(t), etcdstore.Options{Prefix: prefix, NoCache: true})
	require.NoError(t, plain.Ready(t.Context()))
	require.Zero(t, plain.CacheStats())
}

// blockingProgress is a watcher whose progress requests hang, as the client's do while it
// reopens its stream.
type blockingProgress struct{ clientv3.Watcher }

func (blockingProgress) RequestProgress(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestReaderIsNotBlockedByTheWatch has a read wait for a watch that hangs.
func TestReaderIsNotBlockedByTheWatch(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	client.Watcher = blockingProgress{client.Watcher}
	r := newFixture(t, client, etcdstore.Options{CallTimeout: 2 * testTimeout})
	r.waitForCache(r.put(runningRecord("game")).Revision)
	r.putRaw("/other", "the watch does not report this")
	_, err := r.Get(within(t, testTimeout/2), "game")
	require.NoError(t, err, "read from etcd")
}

// TestInvalidationLosesNoEvent invalidates the cache while its watch has a change to
// report, for which the dropped cache has the previous record.
func TestInvalidationLosesNoEvent(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	var armed atomic.Bool
	blocked, release := make(chan struct{}), make(chan struct{})
	wrapWatcher(client, func(ctx context.Context, n int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		for resp := range open() {
			if n == 1 && len(resp.Events) > 0 && armed.CompareAndSwap(true, false) {
				close(blocked)
				<-release
			}
			if !forwardOne(ctx, resp, out) {
				return
			}
		}
	})
	r := newFixture(t, client, etcdstore.Options{ProbeInterval: probeInterval})
	r.put(runningRecord("game"))
	r.waitForCache(r.put(runningRecord("other")).Revision)
	s := r.watch(ports.WatchOptions{})
	s.synced()
	armed.Store(true)
	deleted := r.deleteRaw("/runtimes/game")
	<-blocked
	r.RemoveFromCache("other")
	require.NoError(t, r.CheckConsistency(t.Context()))
	require.EqualValues(t, 1, r.CacheStats().Differences)
	close(release)
	event := s.event()
	require.Equal(t, ports.EventDeleted, event.Type)
	require.Equal(t, deleted, event.Revision)
	require.Equal(t, "game", event.Before.GameID)
}

// TestCacheThatCannotSyncReportsWhy rejects every read except that of the store's
// identity.
func TestCacheThatCannotSyncReportsWhy(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a second")
	}
	t.Parallel()
	client, faults := newFaultyClient(t)
	var reads atomic.Int64
	faults.OnRead(func(context.Context) error {
		if reads.Add(1) <= 3 { // that find no identity, and the created one
			return nil
		}
		return rpctypes.ErrPermissionDenied
	})
	r := newFixture(t, client, etcdstore.Options{})
	require.Eventually(t, func() bool { return r.CacheStats().LastError != nil }, testTimeout, time.Millisecond)
	require.False(t, r.CacheStats().Synced)
	require.ErrorIs(t, r.CacheStats().LastError, rpctypes.ErrPermissionDenied)
	faults.OnRead(nil)
	require.NoError(t, r.Ready(within(t, testTimeout)))
	require.NoError(t, r.CacheStats().LastError)
}
