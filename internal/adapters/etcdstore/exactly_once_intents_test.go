package etcdstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// TestIntentsExactlyOnceUnderFaults is TestExactlyOnceUnderFaults for intents: writers insert
// and overwrite with current, stale and absent versions, with and without a valid fence, and
// move the operation in progress between nodes.
func TestIntentsExactlyOnceUnderFaults(t *testing.T) {
	withAndWithoutCache(t, testIntentsExactlyOnceUnderFaults)
}

func testIntentsExactlyOnceUnderFaults(t *testing.T) {
	const writers, turns, games = 8, 100, 12
	seed := rand.Uint64()
	t.Logf("seed %d", seed)

	client, faults := newFaultyClient(t)
	r := newFixture(t, client, etcdstore.Options{CallTimeout: 10 * time.Millisecond, OperationTimeout: 6 * testTimeout})
	w := &intentWriters{fixture: r, fence: node.Fence{Key: r.prefix + "/nodes/eu/n1", CreateRevision: r.putRaw("/nodes/eu/n1", "me")}}
	c := &randomFaults{rng: rand.New(rand.NewPCG(seed, 0))}
	faults.OnWrite(c.fault)

	reported := make(chan writeResult, writers*turns)
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(n)+1))
			versions := map[string]ports.IntentVersion{}
			for turn := range turns {
				gameID := fmt.Sprintf("game-%d/%d", turn*games/turns, rng.IntN(2))
				reported <- w.writeAtRandom(rng, fmt.Sprintf("writer %d turn %d", n, turn), gameID, versions)
			}
		})
	}
	wg.Wait()
	close(reported)
	faults.OnWrite(nil)
	c.executeAll()

	plain := newFixture(t, etcdtest.InProcess(t), etcdstore.Options{Prefix: r.prefix})
	tally := plain.requireIntentResults(reported)
	plain.requireClean()
	t.Logf("%d writes, %d requests sent, %d faults, outcomes %v", writers*turns, c.requests, c.faults, tally)
	require.Positive(t, tally["done"]*tally["conflict"]*tally["unknown"]*tally["fenced"], "every outcome must occur: %v", tally)
}

// invalidFence is in the reason of a write that must not be applied.
const invalidFence = " with an invalid fence"

// intentWriters write intents at random.
type intentWriters struct {
	fixture
	fence node.Fence // valid
}

// writeAtRandom writes one intent whose image is the reason. versions are those that the writer
// got last for each game.
func (w *intentWriters) writeAtRandom(rng *rand.Rand, reason, gameID string, versions map[string]ports.IntentVersion) writeResult {
	ctx, cancel := context.WithCancel(w.t.Context())
	if rng.IntN(6) == 0 {
		ctx, cancel = context.WithTimeout(w.t.Context(), time.Duration(rng.IntN(15))*time.Millisecond)
	}
	defer cancel()
	replaces := versions[gameID]
	if rng.IntN(3) > 0 {
		if found, err := w.GetIntent(w.t.Context(), gameID); err == nil {
			replaces = found.IntentVersion
		}
	}
	if rng.IntN(6) == 0 {
		replaces = ports.IntentVersion{Revision: replaces.Revision}
	}
	var fences []node.Fence
	switch rng.IntN(8) {
	case 0:
		fences = []node.Fence{w.fence, {Key: w.fence.Key, CreateRevision: w.fence.CreateRevision + 1}}
		reason += invalidFence
	case 1, 2, 3:
		fences = []node.Fence{w.fence}
	}
	intent := operation.Intent{GameID: gameID, Spec: operation.Spec{Image: reason}}
	if rng.IntN(3) > 0 {
		intent.Current = &operation.Operation{ID: reason, Region: "eu", Node: fmt.Sprint("n/", rng.IntN(3))}
	}
	version, err := w.PutIntent(ctx, intent, replaces, fences...)
	if err == nil {
		versions[gameID] = version
	}
	return writeResult{reason: reason, revision: version.Revision, err: err, callerErr: ctx.Err()}
}

// requireIntentResults compares the results with the whole history of the intents in etcd, and
// counts the outcomes.
func (r fixture) requireIntentResults(reported <-chan writeResult) map[string]int {
	r.t.Helper()
	applied := map[string][]int64{}
	for _, ev := range r.historyOf("/operations/") {
		var intent operation.Intent
		require.NoError(r.t, json.Unmarshal(ev.Kv.GetValue(), &intent))
		reason := intent.Spec.Image
		applied[reason] = append(applied[reason], ev.Kv.GetModRevision())
	}
	tally := map[string]int{}
	for w := range reported {
		at := applied[w.reason]
		assert.LessOrEqual(r.t, len(at), 1, "%s was applied at revisions %v", w.reason, at)
		outcome := "cancelled"
		switch {
		case w.err == nil:
			outcome = "done"
			assert.Equal(r.t, []int64{w.revision}, at, "%s succeeded", w.reason)
			assert.NotContains(r.t, w.reason, invalidFence)
		case errors.Is(w.err, runtime.ErrOutcomeUnknown):
			outcome = "unknown"
			assert.Error(r.t, w.callerErr, "%s: unknown, although its caller still waited: %v", w.reason, w.err)
		case errors.Is(w.err, runtime.ErrFenced):
			outcome = "fenced"
		case errors.Is(w.err, runtime.ErrConflict):
			outcome = "conflict"
		case errors.Is(w.err, runtime.ErrReadOnly):
			outcome = "read-only"
		default:
			assert.ErrorIs(r.t, w.err, w.callerErr, "%s: unexplained error", w.reason)
		}
		if outcome != "done" && outcome != "unknown" {
			assert.Empty(r.t, at, "%s failed with %v", w.reason, w.err)
		}
		tally[outcome]++
	}
	return tally
}
