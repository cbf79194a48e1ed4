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

// TestExactlyOnceUnderFaults lets several writers write through a client that
// loses, delays, doubles and refuses requests at random, some of them leaving
// early, and holds what each was told against etcd's own history. The seed
// repeats what each request meets, not the order in which writers come.
func TestExactlyOnceUnderFaults(t *testing.T) { inEveryMode(t, testExactlyOnceUnderFaults) }

func testExactlyOnceUnderFaults(t *testing.T) {
	const writers, turns, games = 8, 100, 4
	seed := rand.Uint64()
	t.Logf("seed %d", seed)

	client, faults := newFaultyClient(t)
	r := newRig(t, client, etcdstore.Options{CallTimeout: 10 * time.Millisecond, OperationTimeout: patience})
	for n := range games {
		r.put(runningRecord(fmt.Sprint("game-", n)))
	}
	c := &chaos{rng: rand.New(rand.NewPCG(seed, 0))}
	faults.OnWrite(c.fault)

	told := make(chan toldWrite, writers*turns)
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(n)+1))
			for turn := range turns {
				told <- writeAtRandom(t, r.Store, rng, fmt.Sprintf("writer %d turn %d", n, turn), games)
			}
		})
	}
	wg.Wait()
	close(told)
	faults.OnWrite(nil)
	c.landAll()

	plain := newRig(t, etcdtest.InProcess(t), etcdstore.Options{Prefix: r.prefix})
	tally := plain.requireVerdicts(told)
	plain.requireClean()
	for n := range games {
		requireContiguousLedger(t, plain, fmt.Sprint("game-", n))
	}
	t.Logf("%d writes, %d requests sent, %d faults, verdicts %v", writers*turns, c.requests, c.faults, tally)
	require.Greater(t, c.faults, writers*turns/4, "too few faults to prove anything")
	require.Positive(t, tally["done"]*tally["conflict"]*tally["unknown"], "every verdict has to occur: %v", tally)
}

// toldWrite is what a caller was told of its write.
type toldWrite struct {
	reason   string // names the write in the ledger
	revision int64
	err      error
	left     error // how the caller's own context had ended by then
}

func writeAtRandom(t *testing.T, store *etcdstore.Store, rng *rand.Rand, reason string, games int) toldWrite {
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
		written runtime.VersionedRecord
		err     error
	)
	if rng.IntN(3) == 0 {
		written, err = store.Put(ctx, ports.PutInput{Record: runningRecord(gameID), Origin: origin})
	} else {
		input := stopInput(gameID)
		if rng.IntN(2) == 0 {
			input = moveInput(gameID, runtime.StatusStopped, runtime.StatusRunning)
		}
		written, err = store.Transition(ctx, ports.TransitionInput{UpdateStatusInput: input, Origin: origin})
	}
	return toldWrite{reason: reason, revision: written.Revision, err: err, left: ctx.Err()}
}

// requireVerdicts compares what callers were told with what the ledger's whole
// history in etcd says, and counts the verdicts.
func (r rig) requireVerdicts(told <-chan toldWrite) map[string]int {
	r.t.Helper()
	applied := map[string][]int64{}
	for _, ev := range r.historyOf("/transitions/") {
		reason := entryOf(r.t, ev.Kv.GetValue()).Reason
		applied[reason] = append(applied[reason], ev.Kv.GetModRevision())
	}
	tally := map[string]int{}
	for w := range told {
		at := applied[w.reason]
		assert.LessOrEqual(r.t, len(at), 1, "%s was applied at revisions %v", w.reason, at)
		var verdict string
		switch {
		case w.err == nil:
			verdict = "done"
			assert.Equal(r.t, []int64{w.revision}, at, "%s was told it is done", w.reason)
		case errors.Is(w.err, runtime.ErrOutcomeUnknown):
			verdict = "unknown"
			assert.Error(r.t, w.left, "%s: unknown, though its caller still waited: %v", w.reason, w.err)
			assert.ErrorIs(r.t, w.err, w.left, w.reason)
		case errors.Is(w.err, runtime.ErrConflict):
			verdict = "conflict"
		case errors.Is(w.err, runtime.ErrReadOnly):
			verdict = "read-only"
		default:
			verdict = "left"
			assert.ErrorIs(r.t, w.err, w.left, "%s: an error that nothing explains", w.reason)
		}
		if verdict != "done" && verdict != "unknown" {
			assert.Empty(r.t, at, "%s was told %v", w.reason, w.err)
		}
		tally[verdict]++
	}
	return tally
}

// chaos decides at random what becomes of each write.
type chaos struct {
	mu               sync.Mutex
	rng              *rand.Rand
	held             []faultkv.Send // tries that are still on their way
	requests, faults int
}

func (c *chaos) roll() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	fate := c.rng.IntN(100)
	if fate >= 45 {
		c.faults++
	}
	return fate
}

func (c *chaos) fault(ctx context.Context, _ int, send faultkv.Send) (*clientv3.TxnResponse, error) {
	fate := c.roll()
	if fate%4 == 0 {
		c.landOne()
	}
	switch {
	case fate < 45:
		return send(ctx)
	case fate < 57: // the reply is lost
		_, _ = send(ctx)
		return nil, faultkv.ErrConnectionLost
	case fate < 67: // the request is lost
		return nil, faultkv.ErrConnectionLost
	case fate < 74: // the reply is too late
		_, _ = send(ctx)
		<-ctx.Done()
		return nil, ctx.Err()
	case fate < 78: // the request hangs
		<-ctx.Done()
		return nil, ctx.Err()
	case fate < 90: // the request arrives later, if at all
		c.hold(send)
		return nil, faultkv.ErrConnectionLost
	case fate < 95: // the client sends it twice by itself
		_, _ = send(ctx)
		return send(ctx)
	case fate < 97:
		return nil, rpctypes.ErrNoSpace
	default:
		return nil, rpctypes.ErrTooManyRequests
	}
}

func (c *chaos) hold(send faultkv.Send) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = append(c.held, send)
}

// landOne lets a try that was held back arrive.
func (c *chaos) landOne() bool {
	send := c.take()
	if send == nil {
		return false
	}
	_, _ = send(context.Background())
	return true
}

func (c *chaos) landAll() {
	for c.landOne() {
	}
}

func (c *chaos) take() faultkv.Send {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.held) == 0 {
		return nil
	}
	n := c.rng.IntN(len(c.held))
	send := c.held[n]
	c.held = append(c.held[:n], c.held[n+1:]...)
	return send
}
