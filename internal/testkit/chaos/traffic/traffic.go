package traffic

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// Daemon is a daemon whose API clients use.
type Daemon struct {
	Region, Node string
	URL          string
	// FarURL, if set, is the address for every second client and watcher, such as one behind a link from another
	// region.
	FarURL string
}

// Name returns the name of the node as in a recording.
func (d Daemon) Name() string { return d.Region + "/" + d.Node }

// Store is the record store in this process.
type Store interface {
	ports.RuntimeReader
	ports.RuntimeWriter
	ports.RuntimeDeleter
	ports.RuntimeWatcher
	ports.RuntimeLedger
}

// Config configures the traffic of a run.
type Config struct {
	// Seed chooses the calls.
	Seed uint64
	// Run is part of the names of all games, so that runs on one cluster do not share any.
	Run     string
	Daemons []Daemon
	// Stores are in this process, and clients use them in addition to the daemons.
	Stores []Store
	// ClientsPerTarget is the number of clients of each daemon and store. Default 2.
	ClientsPerTarget int
	// ReadersPerStore is the number of clients of each store that only read, and more often. Default 96.
	ReadersPerStore int
	// BurstsPerStore is the number of clients of each store that write at the same moments, so that the store
	// combines their writes. Default 12.
	BurstsPerStore int
	// Games is the number of games whose records clients write. Default 6. Clients share them.
	Games int
	// Pause is the mean time between two calls of a client. Default 20 ms.
	Pause time.Duration
	// CallTimeout is how long a client waits for a call. Default 20 s; for operations three times that.
	CallTimeout time.Duration
	// LifecycleGames is the number of games of each daemon that are started and stopped.
	LifecycleGames int
	// Image and PatchImage are images of one major and minor version that every daemon has.
	Image, PatchImage string
	// Etcd is the etcd in which leaders campaign; nil has none. Leaders write through the stores.
	Etcd *clientv3.Client
	// HTTP makes the requests to the daemons. Default: a client without credentials.
	HTTP *http.Client
	// Watchers is the number of watchers of each daemon and store. Default 2.
	Watchers int
}

func (c Config) withDefaults() Config {
	setDefault(&c.ClientsPerTarget, 2)
	setDefault(&c.ReadersPerStore, 96)
	setDefault(&c.BurstsPerStore, 12)
	setDefault(&c.Games, 6)
	setDefault(&c.Watchers, 2)
	if c.HTTP == nil {
		c.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	}
	setDefault(&c.Pause, 20*time.Millisecond)
	setDefault(&c.CallTimeout, 20*time.Second)
	return c
}

func setDefault[T comparable](value *T, byDefault T) {
	var zero T
	if *value == zero {
		*value = byDefault
	}
}

// firstBurst is the id of the first client of bursts, more than those of others.
const firstBurst = 10_000

// leadersPerStore is the number of leaders that write through each store.
const leadersPerStore = 2

// Traffic is what Start has started.
type Traffic struct {
	cfg    Config
	record *recording.Writer
	http   *http.Client

	stopWrites, stopWatches context.CancelFunc
	writers, watchers       sync.WaitGroup

	mu      sync.Mutex
	games   map[string]string // with what each is used for; guarded by mu
	pending map[string]string // by client, the call in progress; guarded by mu
	// positions are the revisions up to which the watchers have received everything; guarded by mu
	positions map[string]int64
	// stable is when RequireRecovery was called, and recovery the context of calls after StopCalls; guarded by mu
	stable       int64
	recovery     context.Context
	stopRecovery context.CancelFunc
}

// Start starts all clients and watchers. The caller calls StopCalls and then StopWatches.
func Start(ctx context.Context, record *recording.Writer, cfg Config) *Traffic {
	cfg = cfg.withDefaults()
	t := &Traffic{
		cfg: cfg, record: record, games: map[string]string{}, pending: map[string]string{}, positions: map[string]int64{},
		http: cfg.HTTP,
	}
	watchCtx, stopWatches := context.WithCancel(ctx)
	writeCtx, stopWrites := context.WithCancel(ctx)
	t.stopWatches, t.stopWrites = stopWatches, stopWrites
	for i := range cfg.Games {
		t.addGame(t.recordGame(i), "records")
	}
	for place, target := range t.targets() {
		for i := range cfg.Watchers {
			name := fmt.Sprintf("watcher-%s-%d", target.name(), i)
			w := newWatcher(t, name, byPlace(target, i), t.random(name))
			t.watchers.Go(func() { w.run(watchCtx) })
		}
		for i := range cfg.ClientsPerTarget {
			name := fmt.Sprintf("client-%s-%d", target.name(), i)
			c := &client{t: t, name: name, target: byPlace(target, i), rng: t.random(name), id: place*cfg.ClientsPerTarget + i, seen: map[string]seenRecord{}}
			t.writers.Go(func() { c.run(writeCtx) })
		}
	}
	for i := range cfg.ReadersPerStore * len(cfg.Stores) {
		name := fmt.Sprintf("reader-%d", i)
		to := direct{id: i % len(cfg.Stores), store: cfg.Stores[i%len(cfg.Stores)], run: cfg.Run}
		c := &client{t: t, name: name, target: to, rng: t.random(name), isReader: true, seen: map[string]seenRecord{}}
		t.writers.Go(func() { c.run(writeCtx) })
	}
	for i := range cfg.BurstsPerStore * len(cfg.Stores) {
		name := fmt.Sprintf("burst-%d", i)
		to := direct{id: i % len(cfg.Stores), store: cfg.Stores[i%len(cfg.Stores)], run: cfg.Run}
		c := &client{t: t, name: name, target: to, rng: t.random(name), id: firstBurst + i, isInBursts: true, seen: map[string]seenRecord{}}
		t.writers.Go(func() { c.run(writeCtx) })
	}
	for i := range leadersPerStore * len(cfg.Stores) {
		if cfg.Etcd != nil {
			to := direct{id: i % len(cfg.Stores), store: cfg.Stores[i%len(cfg.Stores)], run: cfg.Run}
			l := newLeader(t, i, len(t.targets())*cfg.ClientsPerTarget+i, to)
			t.writers.Go(func() { l.run(writeCtx) })
		}
	}
	for _, d := range cfg.Daemons {
		for i := range cfg.LifecycleGames {
			game := fmt.Sprintf("%s-game-%s-%s-%d", cfg.Run, d.Region, d.Node, i)
			t.addGame(game, "lifecycle")
			name := "operator-" + game
			o := &operator{t: t, name: name, rest: rest{t: t, daemon: d}, game: game, first: game, rng: t.random(name)}
			t.writers.Go(func() { o.run(writeCtx) })
		}
	}
	return t
}

// target is where a client sends its calls.
type target interface {
	name() string
	// hasLabels reports whether the target changes labels alone.
	hasLabels() bool
	// call makes the call, and fills in its result.
	call(ctx context.Context, call *recording.Call)
	// watch opens a stream and passes each event to report until the stream ends. It returns why it
	// ended. The cursor of an event is empty in formats without one. report returns false to close the
	// stream.
	watch(ctx context.Context, options streamOptions, report func(event recording.Event, cursor string) bool) (reason string)
}

func (t *Traffic) targets() []target {
	var targets []target
	for _, d := range t.cfg.Daemons {
		targets = append(targets, rest{t: t, daemon: d})
	}
	for i, s := range t.cfg.Stores {
		targets = append(targets, direct{id: i, store: s, run: t.cfg.Run})
	}
	return targets
}

// byPlace returns the target of a client: every second one is far from its daemon.
func byPlace(to target, place int) target {
	if r, isREST := to.(rest); isREST && place%2 == 1 && r.daemon.FarURL != "" {
		r.daemon.URL = r.daemon.FarURL
		return r
	}
	return to
}

// random returns a generator that depends on the seed and the name only.
func (t *Traffic) random(name string) *rand.Rand {
	hash := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(name) {
		hash = (hash ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(t.cfg.Seed, hash)) //nolint:gosec // reproducible
}

func (t *Traffic) recordGame(index int) string { return fmt.Sprintf("%s-record-%d", t.cfg.Run, index) }

// Games returns all games of the run, with what they are used for.
func (t *Traffic) Games() map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.games)
}

func (t *Traffic) addGame(game, use string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.games[game] = use
}

// StopCalls lets every client finish its call, and what RequireRecovery requires. It waits until all have or ctx ends. It returns the
// calls that have not returned by then.
func (t *Traffic) StopCalls(ctx context.Context) (pending []string) {
	t.stopWrites()
	if waitFor(ctx, &t.writers) {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for client, call := range t.pending {
		pending = append(pending, client+": "+call)
	}
	slices.Sort(pending)
	return pending
}

// StopWatches closes all streams and waits for the watchers. StopCalls must have been called. It
// reports whether every client has ended.
func (t *Traffic) StopWatches() bool {
	t.stopWatches()
	t.watchers.Wait()
	if t.stopRecovery != nil {
		t.stopRecovery()
	}
	t.http.CloseIdleConnections()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return waitFor(ctx, &t.writers)
}

// waitFor reports whether the group is done before ctx ends. It gives a group that is done a
// moment to show it.
func waitFor(ctx context.Context, group *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-done:
		return true
	case <-time.After(100 * time.Millisecond):
		return false
	}
}

// start notes that a client waits for a call, and returns the function that notes its end.
func (t *Traffic) start(client string, call *recording.Call) (finish func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending[client] = fmt.Sprintf("%s %s since %s", call.Method, call.Game, time.Duration(call.Started))
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.pending, client)
	}
}

// pause waits a random time with the mean. It reports false when ctx has ended.
func pause(ctx context.Context, rng *rand.Rand, mean time.Duration) bool {
	timer := time.NewTimer(time.Duration(rng.ExpFloat64() * float64(mean)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
