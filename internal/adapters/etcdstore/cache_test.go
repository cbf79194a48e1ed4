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

// deafRig is a store whose watch brings nothing any more once it is told so.
type deafRig struct {
	rig
	deaf *atomic.Bool
}

// newDeafRig returns a store with a running "game" in its cache.
func newDeafRig(t *testing.T, opts etcdstore.Options) deafRig {
	t.Helper()
	client := etcdtest.InProcess(t)
	deaf := new(atomic.Bool)
	watchThrough(client, func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		for resp := range open() {
			if !deaf.Load() && !passOne(ctx, resp, out) {
				return
			}
		}
	})
	r := newRig(t, client, opts)
	written := r.put(runningRecord("game"))
	r.awaitCache(written.Revision)
	return deafRig{rig: r, deaf: deaf}
}

// TestStaleCacheRefusesNobody lets a cache fall behind without knowing it: every
// read and every write is answered by what etcd has, and the caller who asks for
// a local read is told how old it is.
func TestStaleCacheRefusesNobody(t *testing.T) {
	t.Parallel()
	r := newDeafRig(t, etcdstore.Options{})
	others := r.another()
	r.deaf.Store(true)
	stale, staleAt, err := r.GetLocal(t.Context(), "game")
	require.NoError(t, err)
	moved := others.move("game", runtime.StatusRunning, runtime.StatusStopped)
	inserted := others.put(runningRecord("new"))

	found, err := r.GetVersioned(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, moved, found, "a read that the cache is too old for")
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
	require.Equal(t, staleAt, asOf, "not there as of this revision")

	back := r.move("game", runtime.StatusStopped, runtime.StatusRunning)
	require.Greater(t, back.Revision, inserted.Revision, "the cache says running, so it would have refused")
	err = r.UpdateStatus(t.Context(), moveInput("game", runtime.StatusStopped, runtime.StatusRunning))
	require.ErrorIs(t, err, runtime.ErrConflict)
	r.requireClean()
}

// TestWriteFromStaleCacheIsComparedWithEtcd has both the cache and etcd allow a
// write, which the cache's revision alone would not let through.
func TestWriteFromStaleCacheIsComparedWithEtcd(t *testing.T) {
	t.Parallel()
	r := newDeafRig(t, etcdstore.Options{})
	others := r.another()
	r.deaf.Store(true)
	newer := runningRecord("game")
	newer.Node = "another node"
	others.put(newer)
	stopped := r.move("game", runtime.StatusRunning, runtime.StatusStopped)
	require.Equal(t, "another node", stopped.Record.Node, "the write was computed from what it replaced")
	again := r.move("game", runtime.StatusStopped, runtime.StatusRunning)
	require.Equal(t, "another node", again.Record.Node, "and the next from what it left, which no watch has told of")
	deleteGame(t, others, "game")
	_, err := r.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("game")})
	require.ErrorIs(t, err, runtime.ErrNotFound, "deleted since")
}

// TestUpdateIsOneRoundTrip counts the requests of a write whose record is cached.
func TestUpdateIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	kv := faultkv.Wrap(client)
	r := newRig(t, client, etcdstore.Options{ProbeInterval: patience}) // whose own questions count too
	r.awaitCache(r.put(runningRecord("game")).Revision)
	from, to := runtime.StatusRunning, runtime.StatusStopped
	before := kv.Counts().Total()
	for range 20 {
		r.move("game", from, to)
		from, to = to, from
	}
	require.Equal(t, 20, kv.Counts().Total()-before)
}

// TestReadersShareOneRead holds a consistent read while others come: all of them
// wait for one more, which begins after they came.
func TestReadersShareOneRead(t *testing.T) {
	t.Parallel()
	client, faults := newFaultyClient(t)
	r := newRig(t, client, etcdstore.Options{CallTimeout: patience, ProbeInterval: patience, FreshTimeout: patience})
	r.awaitCache(r.put(runningRecord("game")).Revision)
	var reads atomic.Int64
	begun, held := make(chan struct{}), make(chan struct{})
	faults.OnRead(func(context.Context) error {
		if reads.Add(1) == 1 {
			close(begun)
			<-held
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
	<-begun
	const late = 64
	for range late {
		readers.Go(read)
	}
	require.Eventually(t, func() bool { return r.ReadIndexWaiters() == late }, patience, time.Millisecond, "the late readers do not wait")
	close(held)
	readers.Wait()
	require.EqualValues(t, 2, reads.Load(), "reads of etcd for %d readers", late+1)
}

// TestRevisionsOfOthersDoNotSendReadsToEtcd has etcd move on by what is none of
// the store's business, so that its watch is told nothing.
func TestRevisionsOfOthersDoNotSendReadsToEtcd(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, client *clientv3.Client) {
		r := newRig(t, client, etcdstore.Options{FreshTimeout: patience})
		r.awaitCache(r.put(runningRecord("game")).Revision)
		before := r.CacheStats()
		for n := range 20 {
			r.plant("/elsewhere", fmt.Sprint(n))
			_, err := r.Get(t.Context(), "game")
			require.NoError(t, err)
		}
		after := r.CacheStats()
		require.EqualValues(t, 20, after.CachedReads-before.CachedReads, "%+v", after)
		require.Zero(t, after.Fallbacks-before.Fallbacks)
	})
}

// TestDifferenceIsFoundAndMended spoils the cache in memory, as only a defect
// could.
func TestDifferenceIsFoundAndMended(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(rig){
		"a record missing":   func(r rig) { r.RemoveFromCache("game") },
		"a record too many":  func(r rig) { r.PutIntoCache(runningRecord("ghost")) },
		"a record changed":   func(r rig) { r.changeInCache("game", func(rec *runtime.RuntimeRecord) { rec.Node = "other" }) },
		"an instant changed": func(r rig) { r.changeInCache("game", func(rec *runtime.RuntimeRecord) { *rec.StartedAt = time.Now() }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, etcdtest.InProcess(t), etcdstore.Options{})
			s := r.watch(ports.WatchOptions{})
			s.synced()
			written := r.put(runningRecord("game"))
			s.change(written)
			r.awaitCache(written.Revision)
			require.NoError(t, r.CheckConsistency(t.Context()))
			require.Zero(t, r.CacheStats().Differences, "an honest cache")

			spoil(r)
			require.NoError(t, r.CheckConsistency(t.Context()))
			require.EqualValues(t, 1, r.CacheStats().Differences)
			require.Eventually(t, func() bool { return r.CacheStats().Synced }, patience, time.Millisecond, "filled anew")
			require.NoError(t, r.CheckConsistency(t.Context()))
			require.EqualValues(t, 1, r.CacheStats().Differences, "after it was mended")
			s.change(r.move("game", runtime.StatusRunning, runtime.StatusStopped))
		})
	}
}

// changeInCache changes a record in the cache, but not in etcd.
func (r rig) changeInCache(gameID string, change func(*runtime.RuntimeRecord)) {
	r.t.Helper()
	found, _, err := r.GetLocal(r.t.Context(), gameID)
	require.NoError(r.t, err)
	change(&found.Record)
	r.PutIntoCache(found.Record)
}

// TestLocalReadsOutliveEtcd takes etcd away: what is known of it can still be had.
func TestLocalReadsOutliveEtcd(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	r := newRig(t, server.Client(), etcdstore.Options{CallTimeout: 500 * time.Millisecond, OperationTimeout: 2 * time.Second, ProbeInterval: probing})
	written := r.put(runningRecord("game"))
	r.awaitCache(written.Revision)
	server.Stop()
	_, err := r.Get(t.Context(), "game")
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	found, asOf, err := r.GetLocal(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, written, found)
	require.Equal(t, written.Revision, asOf)
	server.Restart()
}

func TestReadyWaitsForTheCacheAndNoLonger(t *testing.T) {
	t.Parallel()
	client, faults := newFaultyClient(t)
	prefix := etcdtest.Prefix(t)
	newRig(t, etcdtest.InProcess(t), etcdstore.Options{Prefix: prefix})
	held := make(chan struct{})
	var reads atomic.Int64
	faults.OnRead(func(ctx context.Context) error {
		if reads.Add(1) == 1 {
			return nil // of the store's identity
		}
		select {
		case <-held:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	r := newRig(t, client, etcdstore.Options{Prefix: prefix})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.Ready(ended), context.Canceled)
	require.False(t, r.CacheStats().Synced)
	close(held)
	require.NoError(t, r.Ready(within(t, patience)))
	require.True(t, r.CacheStats().Synced)

	plain := newRig(t, etcdtest.InProcess(t), etcdstore.Options{Prefix: prefix, NoCache: true})
	require.NoError(t, plain.Ready(t.Context()))
	require.Zero(t, plain.CacheStats())
}

// blockingProgress is a watcher whose requests for progress hang, as the client's
// do while it opens its stream anew.
type blockingProgress struct{ clientv3.Watcher }

func (blockingProgress) RequestProgress(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestReaderIsNotHeldByTheWatch has the read wait for a watch that hangs.
func TestReaderIsNotHeldByTheWatch(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	client.Watcher = blockingProgress{client.Watcher}
	r := newRig(t, client, etcdstore.Options{CallTimeout: 2 * patience})
	r.awaitCache(r.put(runningRecord("game")).Revision)
	r.plant("/elsewhere", "the watch is told nothing of this")
	_, err := r.Get(within(t, patience/2), "game")
	require.NoError(t, err, "etcd has the answer")
}

// TestDistrustLosesNoEvent finds the cache to differ while its watch has a change to
// tell, which the cache that is thrown away knew what to make of.
func TestDistrustLosesNoEvent(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	var armed atomic.Bool
	held, release := make(chan struct{}), make(chan struct{})
	watchThrough(client, func(ctx context.Context, n int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		for resp := range open() {
			if n == 1 && len(resp.Events) > 0 && armed.CompareAndSwap(true, false) {
				close(held)
				<-release
			}
			if !passOne(ctx, resp, out) {
				return
			}
		}
	})
	r := newRig(t, client, etcdstore.Options{ProbeInterval: probing})
	r.put(runningRecord("game"))
	r.awaitCache(r.put(runningRecord("other")).Revision)
	s := r.watch(ports.WatchOptions{})
	s.synced()
	armed.Store(true)
	deleted := r.uproot("/runtimes/game")
	<-held
	r.RemoveFromCache("other")
	require.NoError(t, r.CheckConsistency(t.Context()))
	require.EqualValues(t, 1, r.CacheStats().Differences)
	close(release)
	event := s.event()
	require.Equal(t, ports.EventDeleted, event.Type)
	require.Equal(t, deleted, event.Revision)
	require.Equal(t, "game", event.Before.GameID)
}

// TestCacheThatCannotBeFilledSaysWhy refuses every read but that of the store's
// identity.
func TestCacheThatCannotBeFilledSaysWhy(t *testing.T) {
	t.Parallel()
	client, faults := newFaultyClient(t)
	var reads atomic.Int64
	faults.OnRead(func(context.Context) error {
		if reads.Add(1) <= 3 { // to find no identity, and the one that was made
			return nil
		}
		return rpctypes.ErrPermissionDenied
	})
	r := newRig(t, client, etcdstore.Options{})
	require.Eventually(t, func() bool { return r.CacheStats().LastError != nil }, patience, time.Millisecond)
	require.False(t, r.CacheStats().Synced)
	require.ErrorIs(t, r.CacheStats().LastError, rpctypes.ErrPermissionDenied)
	faults.OnRead(nil)
	require.NoError(t, r.Ready(within(t, patience)))
	require.NoError(t, r.CacheStats().LastError)
}
