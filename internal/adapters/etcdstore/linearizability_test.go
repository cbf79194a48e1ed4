package etcdstore_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// The environment variables that enlarge TestLinearizability, or repeat the choices of a
// seed. The first counts histories per combination of options, the second operations per
// history.
const (
	envLinearHistories  = "RTMANAGER_LINEAR_HISTORIES"
	envLinearOperations = "RTMANAGER_LINEAR_OPERATIONS"
	envLinearSeed       = "RTMANAGER_LINEAR_SEED"
)

// How many clients run concurrently, and how many of them use the first store: enough for
// writes to be batched there. The others use another store.
const (
	linearClients   = 10
	linearFirstOnes = 8
)

// checkTimeout bounds the check of one history, which takes long on a busy machine.
const checkTimeout = 2 * time.Minute

// TestLinearizability has clients of two stores work on the same games, with lost, late
// and repeated requests, late responses, broken watches and cancelled callers. It checks
// every history: there must be one order of all operations that agrees with every result
// and with the clock.
//
// The seed repeats what the clients choose and what happens to each request, not the
// interleaving.
func TestLinearizability(t *testing.T) {
	histories := int(linearEnv(t, envLinearHistories, 5))
	operations := int(linearEnv(t, envLinearOperations, 256))
	seed := uint64(linearEnv(t, envLinearSeed, rand.Int64N(1<<53)))
	for _, opts := range modes {
		t.Run(linearName(opts), func(t *testing.T) {
			t.Parallel()
			total := map[string]int{}
			for n := range histories {
				runHistory(t, opts, seed+uint64(n), operations, total)
			}
			t.Logf("%d histories from seed %d: %v", histories, seed, total)
			require.Positive(t, total["operations"], "void: no operation")
			require.GreaterOrEqual(t, 50*total["unknown"], total["operations"], "void: too few writes of unknown outcome: %v", total)
			require.GreaterOrEqual(t, 100*total["faults"], total["operations"], "void: too few faults: %v", total)
			// a busy machine may have no batch in a short run
			if !opts.NoGroupCommit && total["operations"] >= 10_000 {
				require.Positive(t, total["batches"], "void: no batch: %v", total)
			}
		})
	}
}

func linearName(opts etcdstore.Options) string {
	return fmt.Sprintf("NoCache=%t,NoGroupCommit=%t", opts.NoCache, opts.NoGroupCommit)
}

func linearEnv(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	number, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err, name)
	require.GreaterOrEqual(t, number, int64(0), name)
	return number
}

// runHistory records and checks one history in a subtest, so that its stores are closed
// when it ends, and adds its counts to the total.
func runHistory(t *testing.T, opts etcdstore.Options, seed uint64, operations int, total map[string]int) {
	t.Helper()
	passed := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
		r := newLinearFixture(t, opts, seed)
		r.work(operations)
		r.finish()
		start := time.Now()
		r.requireLinearizable(fmt.Sprintf("%s; repeat the choices, though not the interleaving, with %s=%d %s=1 %s=%d",
			linearName(opts), envLinearSeed, seed, envLinearHistories, envLinearOperations, operations))
		r.addTo(total)
		total["check time in ms"] += int(time.Since(start).Milliseconds())
	})
	if !passed {
		t.FailNow()
	}
}

// linearFixture is two stores on the same keys, each with faults of its own, and their
// clients.
type linearFixture struct {
	t        *testing.T
	fixtures [2]fixture
	faults   [2]*linearFaults
	record   *linearRecorder
	clients  []*linearClient
}

func newLinearFixture(t *testing.T, opts etcdstore.Options, seed uint64) *linearFixture {
	t.Helper()
	r := &linearFixture{t: t, record: newLinearRecorder()}
	opts.Prefix = etcdtest.Prefix(t)
	opts.CallTimeout = 30 * time.Millisecond
	opts.ProbeInterval = 50 * time.Millisecond
	for n := range r.fixtures {
		client := etcdtest.InProcess(t)
		r.faults[n] = injectLinearFaults(client, rand.New(rand.NewPCG(seed, uint64(n))), []int{6, 12}[n])
		// one store outlasts an outage, the other gives up
		opts.OperationTimeout = []time.Duration{testTimeout, 60 * time.Millisecond}[n]
		store, err := etcdstore.Open(within(t, testTimeout), client, opts)
		require.NoError(t, err, "open the store under %q", opts.Prefix)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		r.fixtures[n] = fixture{Store: store, t: t, etcd: client, prefix: opts.Prefix}
	}
	for id := range linearClients {
		r.clients = append(r.clients, &linearClient{
			t: t, id: id, clients: linearClients, store: r.fixtures[id/linearFirstOnes].Store,
			rng: rand.New(rand.NewPCG(seed, uint64(id)+100)), record: r.record,
		})
	}
	return r
}

// work has the clients execute the number of operations concurrently, under faults.
func (r *linearFixture) work(operations int) {
	for _, f := range r.faults {
		f.start()
	}
	var running sync.WaitGroup
	for _, c := range r.clients {
		running.Go(func() { c.run(operations / len(r.clients)) })
	}
	running.Wait()
}

// finish ends the faults, waits for delayed requests, and reads the final state through
// both stores.
func (r *linearFixture) finish() {
	for _, f := range r.faults {
		f.stop()
	}
	ctx := within(r.t, testTimeout)
	for _, c := range []*linearClient{r.clients[0], r.clients[linearClients-1]} {
		for game := range linearGames {
			c.do(ctx, linearCall{method: linearGet, game: game})
		}
		c.do(ctx, linearCall{method: linearList})
	}
	r.fixtures[0].requireClean()
}

func (r *linearFixture) addTo(total map[string]int) {
	for what, times := range r.record.tally {
		total[what] += times
	}
	for _, f := range r.faults {
		total["faults"] += f.injected
		total["batches"] += f.kv.Counts().Batches
	}
}

func (r *linearFixture) requireLinearizable(about string) {
	r.t.Helper()
	result := checkHistory(r.record.history)
	if result == porcupine.Ok {
		return
	}
	outcome := "the history is not linearizable"
	if result == porcupine.Unknown {
		outcome = fmt.Sprintf("not decided in %v whether the history is linearizable", checkTimeout)
	}
	require.Fail(r.t, outcome, "%s\n%sthe history as a page: %s", about, contradictions(r.record.history), drawHistory(r.t, r.record.history))
}

func checkHistory(history []porcupine.Operation) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(modelFor(history), extendUnknown(history), checkTimeout)
}

// contradictions returns the games whose own history is not linearizable. If there is
// none, the games contradict each other.
func contradictions(history []porcupine.Operation) (text string) {
	for game := range linearGames {
		if result := checkHistory(ofGame(history, game)); result != porcupine.Ok {
			text += fmt.Sprintf("%s alone: %s\n", linearGameID(game), result)
		}
	}
	return text
}

// drawHistory writes the history as a web page and returns the file's name.
func drawHistory(t *testing.T, history []porcupine.Operation) string {
	t.Helper()
	file, err := os.CreateTemp("", "linearizability-*.html")
	require.NoError(t, err)
	defer file.Close()
	model := modelFor(history)
	_, info := porcupine.CheckOperationsVerbose(model, extendUnknown(history), checkTimeout)
	assert.NoError(t, porcupine.Visualize(model, info, file))
	return file.Name()
}
