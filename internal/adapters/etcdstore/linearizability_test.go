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

// The environment variables that make TestLinearizability larger, or repeat the
// choices of a seed. The first counts histories for each combination of options,
// the second operations for each history.
const (
	envLinearHistories  = "RTMANAGER_LINEAR_HISTORIES"
	envLinearOperations = "RTMANAGER_LINEAR_OPERATIONS"
	envLinearSeed       = "RTMANAGER_LINEAR_SEED"
)

// How many clients work at once, and how many of them on the first store: enough
// for writes to queue up there for a batch. The others work on another store.
const (
	linearClients   = 10
	linearFirstOnes = 8
)

// TestLinearizability lets clients of two stores work on the same games, through
// lost, late and doubled requests, late answers, broken watches and callers who
// leave, and has every history of what they were told judged: there must be one
// order of all operations that agrees with every answer and with the clock.
//
// The seed repeats what the clients choose and what each request meets, not how
// the clients and the requests interleave.
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
			require.Positive(t, total["operations"], "void: nothing was done")
			require.GreaterOrEqual(t, 50*total["unknown"], total["operations"], "void: too few writes of unknown outcome: %v", total)
			require.GreaterOrEqual(t, 100*total["faults"], total["operations"], "void: too few faults: %v", total)
			// a busy machine may bring no batch about in a short run
			if !opts.NoGroupCommit && total["operations"] >= 10_000 {
				require.Positive(t, total["batches"], "void: no writes travelled together: %v", total)
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

// runHistory makes and judges one history in a subtest, so that its stores are
// closed when it ends, and adds its counts to the total.
func runHistory(t *testing.T, opts etcdstore.Options, seed uint64, operations int, total map[string]int) {
	t.Helper()
	passed := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
		r := newLinearRig(t, opts, seed)
		r.work(operations)
		r.calm()
		began := time.Now()
		r.requireLinearizable(fmt.Sprintf("%s; repeat the choices, though not the interleaving, with %s=%d %s=1 %s=%d",
			linearName(opts), envLinearSeed, seed, envLinearHistories, envLinearOperations, operations))
		r.addTo(total)
		total["judged in ms"] += int(time.Since(began).Milliseconds())
	})
	if !passed {
		t.FailNow()
	}
}

// linearRig is two stores on the same keys, each with faults of its own, and the
// clients that work through them.
type linearRig struct {
	t       *testing.T
	rigs    [2]rig
	faults  [2]*linearFaults
	record  *linearRecorder
	clients []*linearClient
}

func newLinearRig(t *testing.T, opts etcdstore.Options, seed uint64) *linearRig {
	t.Helper()
	r := &linearRig{t: t, record: newLinearRecorder()}
	opts.Prefix = etcdtest.Prefix(t)
	opts.CallTimeout = 30 * time.Millisecond
	opts.ProbeInterval = 50 * time.Millisecond
	for n := range r.rigs {
		client := etcdtest.InProcess(t)
		r.faults[n] = meddleWith(client, rand.New(rand.NewPCG(seed, uint64(n))), []int{6, 12}[n])
		// one store waits an outage out, the other gives up by itself
		opts.OperationTimeout = []time.Duration{patience, 60 * time.Millisecond}[n]
		store, err := etcdstore.Open(within(t, patience), client, opts)
		require.NoError(t, err, "open the store under %q", opts.Prefix)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		r.rigs[n] = rig{Store: store, t: t, etcd: client, prefix: opts.Prefix}
	}
	for id := range linearClients {
		r.clients = append(r.clients, &linearClient{
			t: t, id: id, of: linearClients, store: r.rigs[id/linearFirstOnes].Store,
			rng: rand.New(rand.NewPCG(seed, uint64(id)+100)), record: r.record,
		})
	}
	return r
}

// work lets the clients make so many operations together, under faults.
func (r *linearRig) work(operations int) {
	for _, f := range r.faults {
		f.begin()
	}
	var running sync.WaitGroup
	for _, c := range r.clients {
		running.Go(func() { c.run(operations / len(r.clients)) })
	}
	running.Wait()
}

// calm ends the faults, waits for all that is still to land, and looks at what
// has come of it through both stores.
func (r *linearRig) calm() {
	for _, f := range r.faults {
		f.settle()
	}
	ctx := within(r.t, patience)
	for _, c := range []*linearClient{r.clients[0], r.clients[linearClients-1]} {
		for game := range linearGames {
			c.act(ctx, linearCall{verb: linearGet, game: game})
		}
		c.act(ctx, linearCall{verb: linearList})
	}
	r.rigs[0].requireClean()
}

func (r *linearRig) addTo(total map[string]int) {
	for what, times := range r.record.tally {
		total[what] += times
	}
	for _, f := range r.faults {
		total["faults"] += f.injected
		total["batches"] += f.kv.Counts().Batches
	}
}

func (r *linearRig) requireLinearizable(about string) {
	r.t.Helper()
	result := judgeHistory(r.record.history)
	if result == porcupine.Ok {
		return
	}
	verdict := "the history is not linearizable"
	if result == porcupine.Unknown {
		verdict = fmt.Sprintf("not decided in %v whether the history is linearizable", patience)
	}
	require.Fail(r.t, verdict, "%s\n%sthe history as a page: %s", about, guiltyGames(r.record.history), drawHistory(r.t, r.record.history))
}

func judgeHistory(history []porcupine.Operation) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(modelFor(history), settle(history), patience)
}

// guiltyGames tells which games contradict themselves; where none does, they
// contradict each other.
func guiltyGames(history []porcupine.Operation) (text string) {
	for game := range linearGames {
		if result := judgeHistory(ofGame(history, game)); result != porcupine.Ok {
			text += fmt.Sprintf("%s on its own: %s\n", linearGameID(game), result)
		}
	}
	return text
}

// drawHistory writes the history for a browser and returns the file's name.
func drawHistory(t *testing.T, history []porcupine.Operation) string {
	t.Helper()
	file, err := os.CreateTemp("", "linearizability-*.html")
	require.NoError(t, err)
	defer file.Close()
	model := modelFor(history)
	_, info := porcupine.CheckOperationsVerbose(model, settle(history), patience)
	assert.NoError(t, porcupine.Visualize(model, info, file))
	return file.Name()
}
