package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// inFlight is how many requests a store has in flight at most.
const inFlight = 4

// batchFixture is a store whose first requests are held, so that later writes have to be
// batched.
type batchFixture struct {
	faultyFixture
	started chan struct{}      // one per held request
	open    chan struct{}      // closed to release them
	group   faultkv.WriteFault // the fault of the requests after those

	running sync.WaitGroup
}

// newBatchFixture also creates the games, as running.
func newBatchFixture(t *testing.T, games ...string) *batchFixture {
	t.Helper()
	client := etcdtest.InProcess(t)
	faults := faultkv.Wrap(client)
	r := newFixture(t, client, etcdstore.Options{})
	c := &batchFixture{
		faultyFixture: faultyFixture{fixture: r, faults: faults, others: r.another()},
		started:       make(chan struct{}, inFlight), open: make(chan struct{}),
	}
	for n := range inFlight {
		games = append(games, fmt.Sprint("held-", n))
	}
	for _, game := range games {
		r.put(runningRecord(game))
	}
	faults.OnWrite(func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		if n <= inFlight {
			c.started <- struct{}{}
			<-c.open
			return send(ctx)
		}
		if c.group != nil {
			return c.group(ctx, n-inFlight, send)
		}
		return send(ctx)
	})
	return c
}

// hold fills every place in flight.
func (c *batchFixture) hold() {
	c.t.Helper()
	for n := range inFlight {
		c.running.Go(func() { _ = c.UpdateStatus(c.t.Context(), stopInput(fmt.Sprint("held-", n))) })
	}
	for range inFlight {
		<-c.started
	}
}

// queue starts the writes and returns once all of them are pending. Their results are set
// after release.
func (c *batchFixture) queue(writes ...func() error) (results []error) {
	c.t.Helper()
	results = make([]error, len(writes))
	before := c.PendingWrites()
	for n, write := range writes {
		c.running.Go(func() { results[n] = write() })
	}
	require.Eventually(c.t, func() bool { return c.PendingWrites() == before+len(writes) }, testTimeout, time.Millisecond, "all writes must be pending")
	return results
}

// release releases the held requests and waits for all writes.
func (c *batchFixture) release() {
	close(c.open)
	c.running.Wait()
}

// run queues the writes after the held requests, and releases all.
func (c *batchFixture) run(writes ...func() error) []error {
	c.t.Helper()
	c.hold()
	results := c.queue(writes...)
	c.release()
	return results
}

// requests returns how many requests the writes of run have taken.
func (c *batchFixture) requests() int { return c.faults.Writes() - inFlight }

func TestWritesAreBatchedWithResultsOfTheirOwn(t *testing.T) {
	t.Parallel()
	c := newBatchFixture(t, "done", "stale", "fenced")
	dead := node.Fence{Key: c.prefix + "/leaders/eu", CreateRevision: 1}
	c.hold()
	results := c.queue(
		func() error { return c.UpdateStatus(t.Context(), stopInput("done")) },
		func() error { return c.Upsert(t.Context(), runningRecord("new")) },
		func() error {
			_, err := c.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("fenced"), Fence: &dead})
			return err
		},
		func() error { return c.UpdateStatus(t.Context(), stopInput("stale")) },
	)
	c.others.transition("stale", runtime.StatusRunning, runtime.StatusStopped) // after it has been read
	c.release()
	require.NoError(t, results[0])
	require.NoError(t, results[1])
	require.ErrorIs(t, results[2], runtime.ErrFenced)
	require.ErrorIs(t, results[3], runtime.ErrConflict)
	require.Equal(t, 1, c.requests(), "four writes, one request")
	done, err := c.others.GetVersioned(t.Context(), "done")
	require.NoError(t, err)
	fresh, err := c.others.GetVersioned(t.Context(), "new")
	require.NoError(t, err)
	require.Equal(t, done.Revision, fresh.Revision, "a batch has one revision")
	c.others.requireClean()
}

func TestWritersOfOneGameDoNotShareARequest(t *testing.T) {
	t.Parallel()
	c := newBatchFixture(t, "game")
	stop := func() error { return c.UpdateStatus(t.Context(), stopInput("game")) }
	won := 0
	for _, err := range c.run(stop, stop, stop) {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, runtime.ErrConflict)
	}
	require.Equal(t, 1, won)
	require.Len(t, requireContiguousLedger(t, c.others, "game"), 2)
}

func TestAmbiguousBatchIsResolvedWriteByWrite(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faultkv.Fault{
		"after commit": faultkv.LoseReply(nil), "before commit": faultkv.LoseRequest(nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newBatchFixture(t)
			c.group = func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
				if n == 1 {
					return fault(ctx, send)
				}
				return send(ctx)
			}
			results := c.run(c.inserts(5)...)
			require.NoError(t, errors.Join(results...))
			c.requireInserted(5)
		})
	}
}

func TestCancelledPendingWriteIsNotSent(t *testing.T) {
	t.Parallel()
	c := newBatchFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	c.hold()
	stayed := c.queue(c.inserts(1)...)
	callerErr := make(chan error)
	go func() { callerErr <- c.Upsert(ctx, runningRecord("left")) }()
	require.Eventually(t, func() bool { return c.PendingWrites() == 2 }, testTimeout, time.Millisecond)
	cancel()
	reported := <-callerErr
	c.release()

	require.ErrorIs(t, reported, context.Canceled)
	require.NotErrorIs(t, reported, runtime.ErrOutcomeUnknown, "it was certainly not sent")
	require.NoError(t, stayed[0])
	_, err := c.others.Get(t.Context(), "left")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	c.others.requireClean()
}

func TestLargeAndManyWritesStayWithinEtcdsLimits(t *testing.T) {
	t.Parallel()
	c := newBatchFixture(t)
	var writes []func() error
	for n := range 300 {
		rec := runningRecord(fmt.Sprint("game-", n))
		rec.StatePath = strings.Repeat("x", 30<<10)
		writes = append(writes, func() error { return c.Upsert(t.Context(), rec) })
	}
	require.NoError(t, errors.Join(c.run(writes...)...))
	require.Less(t, c.requests(), 30, "300 writes of 30 KiB fit into some ten requests")
	c.others.requireClean()
}

// TestLargestWritesFillABatch has as many writes with as many compares as a batch may contain.
func TestLargestWritesFillABatch(t *testing.T) {
	t.Parallel()
	c := newBatchFixture(t)
	fence := node.Fence{Key: c.prefix + "/leaders/eu", CreateRevision: c.others.putRaw("/leaders/eu", "me")}
	writes := make([]func() error, 120)
	for n := range writes {
		input := ports.PutInput{Record: runningRecord(fmt.Sprint("new-", n)), Fence: &fence, Guard: ports.GuardNoOperation}
		writes[n] = func() error {
			_, err := c.Put(t.Context(), input)
			return err
		}
	}
	require.NoError(t, errors.Join(c.run(writes...)...))
	require.Equal(t, 1, c.requests())
	c.requireInserted(len(writes))
}

// TestDeletionsShareARequest deletes games of several buckets, and two of one bucket, whose
// transactions put the same key.
func TestDeletionsShareARequest(t *testing.T) {
	t.Parallel()
	c := newBatchFixture(t)
	var writes []func() error
	for _, gameID := range []string{"a", "b", "c", inBucketOf("a")} {
		c.others.put(removedRecord(gameID))
		writes = append(writes, func() error { return c.Delete(t.Context(), ports.DeleteInput{GameID: gameID}) })
	}
	require.NoError(t, errors.Join(c.run(writes...)...))
	require.Equal(t, 2, c.requests())
	c.others.requireClean()
}

func TestNoGroupCommitSendsEveryWriteAlone(t *testing.T) {
	t.Parallel()
	client, faults := newFaultyClient(t)
	r := newFixture(t, client, etcdstore.Options{NoGroupCommit: true})
	faults.OnWrite(nil)
	var running sync.WaitGroup
	for n := range 64 {
		running.Go(func() { r.put(runningRecord(fmt.Sprint("game-", n))) })
	}
	running.Wait()
	require.Equal(t, 64, faults.Writes())
}

func (c *batchFixture) inserts(n int) []func() error {
	writes := make([]func() error, n)
	for i := range writes {
		writes[i] = func() error { return c.Upsert(c.t.Context(), runningRecord(fmt.Sprint("new-", i))) }
	}
	return writes
}

// requireInserted requires that each of n games was written once.
func (c *batchFixture) requireInserted(n int) {
	c.t.Helper()
	for i := range n {
		require.Len(c.t, requireContiguousLedger(c.t, c.others, fmt.Sprint("new-", i)), 1)
	}
	c.others.requireClean()
}

// TestHungRequestDelaysNoOtherWrite has a request hang after many writers have raised the
// expected batch size.
func TestHungRequestDelaysNoOtherWrite(t *testing.T) {
	t.Parallel()
	client, faults := newFaultyClient(t)
	r := newFixture(t, client, etcdstore.Options{CallTimeout: 2 * testTimeout})
	var writers sync.WaitGroup
	for n := range 300 {
		writers.Go(func() { r.put(runningRecord(fmt.Sprint("game-", n))) })
	}
	writers.Wait()
	hung, letGo := make(chan struct{}), make(chan struct{})
	faults.OnFirstWrite(func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		close(hung)
		<-letGo
		return send(ctx)
	})
	writers.Go(func() { r.put(runningRecord("hung")) })
	<-hung
	_, err := r.Put(within(t, testTimeout/2), ports.PutInput{Record: runningRecord("game-1")})
	require.NoError(t, err, "other requests may be in flight")
	close(letGo)
	writers.Wait()
}
