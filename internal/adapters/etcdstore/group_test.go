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
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// inFlight is how many requests a store has under way at most.
const inFlight = 4

// crowd is a store whose first requests are held back, so that those who write
// meanwhile have to travel together.
type crowd struct {
	faultyRig
	begun chan struct{}      // one for each request that is held
	open  chan struct{}      // closed to let them go
	group faultkv.WriteFault // what meets the requests after those

	running sync.WaitGroup
}

// newCrowd also makes the games, as running.
func newCrowd(t *testing.T, games ...string) *crowd {
	t.Helper()
	client := etcdtest.InProcess(t)
	faults := faultkv.Wrap(client)
	r := newRig(t, client, etcdstore.Options{})
	c := &crowd{
		faultyRig: faultyRig{rig: r, faults: faults, others: r.another()},
		begun:     make(chan struct{}, inFlight), open: make(chan struct{}),
	}
	for n := range inFlight {
		games = append(games, fmt.Sprint("held-", n))
	}
	for _, game := range games {
		r.put(runningRecord(game))
	}
	faults.OnWrite(func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		if n <= inFlight {
			c.begun <- struct{}{}
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

// hold takes every place in flight.
func (c *crowd) hold() {
	c.t.Helper()
	for n := range inFlight {
		c.running.Go(func() { _ = c.UpdateStatus(c.t.Context(), stopInput(fmt.Sprint("held-", n))) })
	}
	for range inFlight {
		<-c.begun
	}
}

// queue starts the writes and returns once all of them wait. Their answers are
// there after release.
func (c *crowd) queue(writes ...func() error) (answers []error) {
	c.t.Helper()
	answers = make([]error, len(writes))
	before := c.PendingWrites()
	for n, write := range writes {
		c.running.Go(func() { answers[n] = write() })
	}
	require.Eventually(c.t, func() bool { return c.PendingWrites() == before+len(writes) }, patience, time.Millisecond, "all must queue up")
	return answers
}

// release lets everything go and waits for it.
func (c *crowd) release() {
	close(c.open)
	c.running.Wait()
}

// run queues the writes behind those that are held, and lets all go.
func (c *crowd) run(writes ...func() error) []error {
	c.t.Helper()
	c.hold()
	answers := c.queue(writes...)
	c.release()
	return answers
}

// requests is how many the writes of run have taken.
func (c *crowd) requests() int { return c.faults.Writes() - inFlight }

func TestWritersTravelTogetherAndEachHasItsOwnAnswer(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, "done", "stale", "fenced")
	dead := node.Fence{Key: c.prefix + "/leaders/eu", CreateRevision: 1}
	c.hold()
	answers := c.queue(
		func() error { return c.UpdateStatus(t.Context(), stopInput("done")) },
		func() error { return c.Upsert(t.Context(), runningRecord("new")) },
		func() error {
			_, err := c.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("fenced"), Fence: &dead})
			return err
		},
		func() error { return c.UpdateStatus(t.Context(), stopInput("stale")) },
	)
	c.others.move("stale", runtime.StatusRunning, runtime.StatusStopped) // after it has been read
	c.release()
	require.NoError(t, answers[0])
	require.NoError(t, answers[1])
	require.ErrorIs(t, answers[2], runtime.ErrFenced)
	require.ErrorIs(t, answers[3], runtime.ErrConflict)
	require.Equal(t, 1, c.requests(), "four writes, one request")
	done, err := c.others.GetVersioned(t.Context(), "done")
	require.NoError(t, err)
	fresh, err := c.others.GetVersioned(t.Context(), "new")
	require.NoError(t, err)
	require.Equal(t, done.Revision, fresh.Revision, "what travels together takes effect together")
	c.others.requireClean()
}

func TestWritersOfOneGameDoNotShareARequest(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, "game")
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

func TestGroupThatEtcdRefusesIsSentSingly(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.group = func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		if n == 1 {
			return nil, rpctypes.ErrTooManyOps
		}
		return send(ctx)
	}
	answers := c.run(c.inserts(5)...)
	require.NoError(t, errors.Join(answers...))
	require.Equal(t, 1+5, c.requests())
	c.requireInserted(5)
}

func TestGroupWhoseAnswerIsLostIsResolvedMemberByMember(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faultkv.Fault{
		"after commit": faultkv.LoseReply(nil), "before commit": faultkv.LoseRequest(nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(t)
			c.group = func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
				if n == 1 {
					return fault(ctx, send)
				}
				return send(ctx)
			}
			answers := c.run(c.inserts(5)...)
			require.NoError(t, errors.Join(answers...))
			c.requireInserted(5)
		})
	}
}

func TestWriterThatLeavesTheQueueHasWrittenNothing(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	ctx, leave := context.WithCancel(t.Context())
	c.hold()
	stayed := c.queue(c.inserts(1)...)
	left := make(chan error)
	go func() { left <- c.Upsert(ctx, runningRecord("left")) }()
	require.Eventually(t, func() bool { return c.PendingWrites() == 2 }, patience, time.Millisecond)
	leave()
	told := <-left
	c.release()

	require.ErrorIs(t, told, context.Canceled)
	require.NotErrorIs(t, told, runtime.ErrOutcomeUnknown, "nothing was sent, and that is known")
	require.NoError(t, stayed[0])
	_, err := c.others.Get(t.Context(), "left")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	c.others.requireClean()
}

func TestLargeAndManyWritesStayWithinEtcdsLimits(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
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

func TestSwitchedOffEveryWriteTravelsAlone(t *testing.T) {
	t.Parallel()
	client, faults := newFaultyClient(t)
	r := newRig(t, client, etcdstore.Options{NoGroupCommit: true})
	faults.OnWrite(nil)
	var running sync.WaitGroup
	for n := range 64 {
		running.Go(func() { r.put(runningRecord(fmt.Sprint("game-", n))) })
	}
	running.Wait()
	require.Equal(t, 64, faults.Writes())
}

func (c *crowd) inserts(n int) []func() error {
	writes := make([]func() error, n)
	for i := range writes {
		writes[i] = func() error { return c.Upsert(c.t.Context(), runningRecord(fmt.Sprint("new-", i))) }
	}
	return writes
}

// requireInserted wants each of so many games to have been written once.
func (c *crowd) requireInserted(n int) {
	c.t.Helper()
	for i := range n {
		require.Len(c.t, requireContiguousLedger(c.t, c.others, fmt.Sprint("new-", i)), 1)
	}
	c.others.requireClean()
}

// TestHungRequestHoldsUpNobody has a request hang after many writers have made the
// group expect company.
func TestHungRequestHoldsUpNobody(t *testing.T) {
	t.Parallel()
	client, faults := newFaultyClient(t)
	r := newRig(t, client, etcdstore.Options{CallTimeout: 2 * patience})
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
	_, err := r.Put(within(t, patience/2), ports.PutInput{Record: runningRecord("game-1")})
	require.NoError(t, err, "there are places in flight left")
	close(letGo)
	writers.Wait()
}
