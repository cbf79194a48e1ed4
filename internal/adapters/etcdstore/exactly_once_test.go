package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// TestExactlyOnceUnderFaults has several writers write through a client that loses,
// delays, repeats and rejects requests at random, while some of the callers cancel early.
// It compares every result with etcd's own history. The seed repeats what happens to each
// request, not the order of the writers.
func TestExactlyOnceUnderFaults(t *testing.T) { inEveryMode(t, testExactlyOnceUnderFaults) }

func testExactlyOnceUnderFaults(t *testing.T) {
	const writers, turns, games = 8, 100, 4
	seed := rand.Uint64()
	t.Logf("seed %d", seed)

	client, faults := newFaultyClient(t)
	r := newFixture(t, client, etcdstore.Options{CallTimeout: 10 * time.Millisecond, OperationTimeout: 6 * testTimeout})
	for n := range games {
		r.put(runningRecord(fmt.Sprint("game-", n)))
	}
	c := &randomFaults{rng: rand.New(rand.NewPCG(seed, 0))}
	faults.OnWrite(c.fault)

	reported := make(chan writeResult, writers*turns)
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(n)+1))
			for turn := range turns {
				reported <- writeAtRandom(t, r.Store, rng, fmt.Sprintf("writer %d turn %d", n, turn), games)
			}
		})
	}
	wg.Wait()
	close(reported)
	faults.OnWrite(nil)
	c.executeAll()

	plain := newFixture(t, etcdtest.InProcess(t), etcdstore.Options{Prefix: r.prefix})
	tally, later := plain.requireResults(reported)
	require.LessOrEqual(t, later, c.resends, "only a request that the client resends may count as a repetition")
	plain.requireClean()
	for n := range games {
		requireContiguousLedger(t, plain, fmt.Sprint("game-", n))
	}
	t.Logf("%d writes, %d requests sent, %d faults, outcomes %v", writers*turns, c.requests, c.faults, tally)
	require.Greater(t, c.faults, writers*turns/4, "too few faults for a valid test")
	require.Positive(t, tally["done"]*tally["conflict"]*tally["unknown"], "every outcome must occur: %v", tally)
}

// writeResult is the result of one write.
type writeResult struct {
	reason    string // identifies the write in the ledger
	isNamed   bool   // the reason is also the operation id
	revision  int64
	err       error
	callerErr error // the error of the caller's context
}

func writeAtRandom(t *testing.T, store *etcdstore.Store, rng *rand.Rand, reason string, games int) writeResult {
	ctx, cancel := context.WithCancel(t.Context())
	if rng.IntN(6) == 0 {
		ctx, cancel = context.WithTimeout(t.Context(), time.Duration(rng.IntN(15))*time.Millisecond)
	}
	defer cancel()
	gameID := fmt.Sprint("game-", rng.IntN(games))
	origin := ports.Origin{Reason: reason}
	if rng.IntN(2) == 0 {
		origin.OperationID = reason
	}
	var (
		result runtime.VersionedRecord
		err    error
	)
	if rng.IntN(3) == 0 {
		result, err = store.Put(ctx, ports.PutInput{Record: runningRecord(gameID), Origin: origin})
	} else {
		input := stopInput(gameID)
		if rng.IntN(2) == 0 {
			input = transitionInput(gameID, runtime.StatusStopped, runtime.StatusRunning)
		}
		result, err = store.Transition(ctx, ports.TransitionInput{UpdateStatusInput: input, Origin: origin})
	}
	return writeResult{reason: reason, isNamed: origin.OperationID != "", revision: result.Revision, err: err, callerErr: ctx.Err()}
}

// requireResults compares the results with the whole history of the ledger in etcd, and
// counts the outcomes. later counts the writes whose result is the record after a later
// write, as that of a repetition: a client that resends a request by itself makes a write with
// an operation id one, which the product's client never does.
func (r fixture) requireResults(reported <-chan writeResult) (tally map[string]int, later int) {
	r.t.Helper()
	applied := map[string][]int64{}
	for _, ev := range r.historyOf("/transitions/") {
		reason := entryOf(r.t, ev.Kv.GetValue()).Reason
		applied[reason] = append(applied[reason], ev.Kv.GetModRevision())
	}
	tally = map[string]int{}
	for w := range reported {
		at := applied[w.reason]
		assert.LessOrEqual(r.t, len(at), 1, "%s was applied at revisions %v", w.reason, at)
		var outcome string
		switch {
		case w.err == nil:
			outcome = "done"
			if w.isNamed && len(at) == 1 && at[0] < w.revision {
				later++
				break
			}
			assert.Equal(r.t, []int64{w.revision}, at, "%s succeeded", w.reason)
		case errors.Is(w.err, runtime.ErrOutcomeUnknown):
			outcome = "unknown"
			assert.Error(r.t, w.callerErr, "%s: unknown, although its caller still waited: %v", w.reason, w.err)
			assert.ErrorIs(r.t, w.err, w.callerErr, w.reason)
		case errors.Is(w.err, runtime.ErrConflict):
			outcome = "conflict"
		case errors.Is(w.err, runtime.ErrReadOnly):
			outcome = "read-only"
		default:
			outcome = "left"
			assert.ErrorIs(r.t, w.err, w.callerErr, "%s: unexplained error", w.reason)
		}
		if outcome != "done" && outcome != "unknown" {
			assert.Empty(r.t, at, "%s failed with %v", w.reason, w.err)
		}
		tally[outcome]++
	}
	return tally, later
}

// randomFaults decides at random what happens to each write.
type randomFaults struct {
	mu               sync.Mutex
	rng              *rand.Rand
	delayed          []faultkv.Send // requests that are not executed yet
	requests, faults int
	resends          int // by the client
}

func (c *randomFaults) roll() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	roll := c.rng.IntN(100)
	if roll >= 45 {
		c.faults++
	}
	return roll
}

func (c *randomFaults) fault(ctx context.Context, _ int, send faultkv.Send) (*clientv3.TxnResponse, error) {
	roll := c.roll()
	if roll%4 == 0 {
		c.executeOne()
	}
	switch {
	case roll < 45:
		return send(ctx)
	case roll < 57: // the reply is lost
		_, _ = send(ctx)
		return nil, faultkv.ErrConnectionLost
	case roll < 67: // the request is lost
		return nil, faultkv.ErrConnectionLost
	case roll < 74: // the reply is too late
		_, _ = send(ctx)
		<-ctx.Done()
		return nil, ctx.Err()
	case roll < 78: // the request hangs
		<-ctx.Done()
		return nil, ctx.Err()
	case roll < 90: // the request arrives later, if at all
		c.hold(send)
		return nil, faultkv.ErrConnectionLost
	case roll < 95: // the client sends it twice by itself
		_, _ = send(ctx)
		c.countResend()
		return send(ctx)
	case roll < 97:
		return nil, rpctypes.ErrNoSpace
	default:
		return nil, rpctypes.ErrTooManyRequests
	}
}

func (c *randomFaults) countResend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resends++
}

func (c *randomFaults) hold(send faultkv.Send) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delayed = append(c.delayed, send)
}

// executeOne executes a request that was delayed.
func (c *randomFaults) executeOne() bool {
	send := c.take()
	if send == nil {
		return false
	}
	_, _ = send(context.Background())
	return true
}

func (c *randomFaults) executeAll() {
	for c.executeOne() {
	}
}

func (c *randomFaults) take() faultkv.Send {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.delayed) == 0 {
		return nil
	}
	n := c.rng.IntN(len(c.delayed))
	send := c.delayed[n]
	c.delayed = append(c.delayed[:n], c.delayed[n+1:]...)
	return send
}
