package health_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/workers/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const timeout = 30 * time.Second

// prober returns for each URL the result of its function; without one the game is healthy.
type prober struct {
	mu      sync.Mutex
	results map[string]func(ctx context.Context) error
	probed  []string
}

func (p *prober) Probe(ctx context.Context, target operation.HealthTarget) error {
	url := target.URL
	p.mu.Lock()
	result := p.results[url]
	p.probed = append(p.probed, url)
	p.mu.Unlock()
	if result == nil {
		return nil
	}
	return result(ctx)
}

func (p *prober) set(url string, result func(ctx context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.results[url] = result
}

func (p *prober) urls() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	sorted := slices.Clone(p.probed)
	slices.Sort(sorted)
	return sorted
}

// corruptStore is a store with a corrupt intent.
type corruptStore struct{ ports.IntentStore }

func (s corruptStore) GetIntents(ctx context.Context, gameIDs []string) ([]ports.VersionedIntent, error) {
	intents, err := s.IntentStore.GetIntents(ctx, gameIDs)
	return intents, errors.Join(err, &runtime.CorruptError{Key: "/operations/x", GameID: "x", Reason: "is truncated"})
}

// countingStore counts the intents that are read.
type countingStore struct {
	ports.IntentStore
	reads   int
	isKnown bool              // the store knows the intents that it has written
	stale   *operation.Intent // what it knows of each game, if it is outdated
}

func (s *countingStore) GetIntentAndRecordLocal(gameID string) (ports.VersionedIntent, runtime.VersionedRecord, bool) {
	if s.stale != nil {
		return ports.VersionedIntent{Intent: *s.stale}, runtime.VersionedRecord{}, true
	}
	if !s.isKnown {
		return ports.VersionedIntent{}, runtime.VersionedRecord{}, false
	}
	return s.IntentStore.GetIntentAndRecordLocal(gameID)
}

func (s *countingStore) GetIntents(ctx context.Context, gameIDs []string) ([]ports.VersionedIntent, error) {
	s.reads += len(gameIDs)
	return s.IntentStore.GetIntents(ctx, gameIDs)
}

// fixture is a worker of node eu/n1 on a store in memory.
type fixture struct {
	*health.Worker
	t       *testing.T
	store   *memstore.Store
	intents *countingStore
	prober  *prober

	mu       sync.Mutex
	enqueued []string // guarded by mu
}

func newFixture(t *testing.T, cfg health.Config) *fixture {
	t.Helper()
	f := &fixture{t: t, store: memstore.New(), prober: &prober{results: map[string]func(context.Context) error{}}}
	f.intents = &countingStore{IntentStore: corruptStore{f.store}}
	cfg.Region, cfg.Node = "eu", "n1"
	f.Worker = health.New(health.Dependencies{Records: f.store, Intents: f.intents, Prober: f.prober, Queue: f}, cfg)
	return f
}

// Enqueue implements health.Enqueuer.
func (f *fixture) Enqueue(gameID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.enqueued = append(f.enqueued, gameID)
}

// takeEnqueued returns the games that were enqueued since the last call.
func (f *fixture) takeEnqueued() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	enqueued := f.enqueued
	f.enqueued = nil
	return enqueued
}

// putRunning writes the record of a running game with the endpoint http://GAME.
func (f *fixture) putRunning(gameID, node, containerID string, startedAt time.Time) {
	f.t.Helper()
	record := runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, Region: "eu", Node: node, CurrentContainerID: containerID,
		EngineEndpoint: "http://" + gameID, CreatedAt: startedAt, LastOpAt: startedAt, StartedAt: &startedAt,
	}
	require.NoError(f.t, record.Validate())
	require.NoError(f.t, f.store.Upsert(f.t.Context(), record))
}

// putSpec writes the intent of a game that has none.
func (f *fixture) putSpec(gameID string, spec operation.Spec) {
	f.t.Helper()
	_, err := f.store.PutIntent(f.t.Context(), operation.Intent{GameID: gameID, Spec: spec}, ports.IntentVersion{})
	require.NoError(f.t, err)
}

// unhealthy returns Unhealthy of the game's current record.
func (f *fixture) unhealthy(gameID string) string {
	f.t.Helper()
	record, err := f.store.Get(f.t.Context(), gameID)
	if !errors.Is(err, runtime.ErrNotFound) {
		require.NoError(f.t, err)
	}
	return f.Unhealthy(record)
}

func (f *fixture) passes(count int) {
	f.t.Helper()
	for range count {
		require.NoError(f.t, f.Pass(f.t.Context()))
	}
}

var startedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func fails(text string) func(context.Context) error {
	return func(context.Context) error { return errors.New(text) }
}

func TestGameThatFailsInARowIsUnhealthy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{})
	f.putRunning("g", "n1", "c1", startedAt)
	f.passes(5)
	require.Empty(t, f.unhealthy("g"))
	f.prober.set("http://g/healthz", fails("status 503"))
	f.passes(2)
	require.Empty(t, f.unhealthy("g"))
	require.Empty(t, f.takeEnqueued())
	f.passes(1)
	require.Equal(t, "container c1 failed at least 3 health checks in a row: status 503", f.unhealthy("g"))
	require.Equal(t, []string{"g"}, f.takeEnqueued())
	f.passes(3)
	require.Empty(t, f.takeEnqueued(), "it is enqueued once")

	f.prober.set("http://g/healthz", nil)
	f.passes(1)
	require.Empty(t, f.unhealthy("g"))
	require.Equal(t, []string{"g"}, f.takeEnqueued())
	require.Empty(t, f.unhealthy("unknown"))
}

func TestGameThatFailsNowAndThenIsHealthy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Failures: 2})
	f.putRunning("g", "n1", "c1", startedAt)
	for range 3 {
		f.prober.set("http://g/healthz", fails("no"))
		f.passes(1)
		f.prober.set("http://g/healthz", nil)
		f.passes(1)
	}
	require.Empty(t, f.unhealthy("g"))
	require.Empty(t, f.takeEnqueued())
}

// Errors contain parts that differ in each attempt, such as the port of the connection.
// The finding must stay the same.
func TestTextOfAnUnhealthyGameDoesNotChange(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Failures: 2})
	f.putRunning("g", "n1", "c1", startedAt)
	attempts := 0
	f.prober.set("http://g/healthz", func(context.Context) error {
		attempts++
		return fmt.Errorf("read 127.0.0.1:%d: connection reset", 40000+attempts)
	})
	f.passes(2)
	text := f.unhealthy("g")
	require.Contains(t, text, "40002")
	f.passes(3)
	require.Equal(t, text, f.unhealthy("g"))
}

func TestNewRunStartsToCountFromZero(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Failures: 2})
	f.prober.set("http://g/healthz", fails("no"))
	f.putRunning("g", "n1", "c1", startedAt)
	f.passes(2)
	require.NotEmpty(t, f.unhealthy("g"))
	f.putRunning("g", "n1", "c1", startedAt.Add(time.Second)) // the same container
	require.Empty(t, f.unhealthy("g"), "the result of the previous run does not count")
	f.passes(1)
	require.Empty(t, f.unhealthy("g"))
	f.passes(1)
	require.NotEmpty(t, f.unhealthy("g"))
	f.putRunning("g", "n1", "c2", startedAt.Add(time.Second)) // another container
	f.passes(1)
	require.Empty(t, f.unhealthy("g"))
}

func TestResultOfAStoppedGameIsRemoved(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Failures: 1})
	f.prober.set("http://g/healthz", fails("no"))
	f.putRunning("g", "n1", "c1", startedAt)
	f.passes(1)
	require.NotEmpty(t, f.unhealthy("g"))
	require.NoError(t, f.store.UpdateStatus(t.Context(), ports.UpdateStatusInput{
		GameID: "g", ExpectedFrom: runtime.StatusRunning, To: runtime.StatusStopped, Now: startedAt.Add(time.Minute),
	}))
	f.passes(1)
	require.Empty(t, f.unhealthy("g"))
}

// A store accepts invalid records from a writer that does not validate them.
func TestRecordWithoutAStartTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Failures: 1})
	require.NoError(t, f.store.Upsert(t.Context(), runtime.RuntimeRecord{
		GameID: "g", Status: runtime.StatusRunning, Region: "eu", Node: "n1", CurrentContainerID: "c", EngineEndpoint: "http://g",
	}))
	f.prober.set("http://g/healthz", fails("no"))
	f.passes(1)
	require.NotEmpty(t, f.unhealthy("g"))
}

func TestProbedURLs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{})
	for _, gameID := range []string{"plain", "own path", "none", "x"} {
		f.putRunning(gameID, "n1", "c", startedAt)
	}
	f.putRunning("on n2", "n2", "c", startedAt)
	f.putSpec("own path", operation.Spec{Image: "a:1", HealthPath: "/ok"})
	f.putSpec("none", operation.Spec{Image: "a:1", HealthPath: operation.NoHealthCheck})
	noEndpoint, err := f.store.Get(t.Context(), "plain")
	require.NoError(t, err)
	noEndpoint.GameID, noEndpoint.EngineEndpoint = "no endpoint", ""
	require.NoError(t, f.store.Upsert(t.Context(), noEndpoint))
	f.passes(1)
	require.Equal(t, []string{"http://own path/ok", "http://plain/healthz", "http://x/healthz"}, f.prober.urls())
}

// Games that hang delay no other game, unless there are as many as concurrent probes.
func TestGameThatHangsDelaysNoOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Concurrency: 3, Failures: 1})
	release := make(chan struct{})
	for _, gameID := range []string{"a", "b"} {
		f.putRunning(gameID, "n1", "c", startedAt)
		f.prober.set("http://"+gameID+"/healthz", func(context.Context) error {
			<-release
			return context.DeadlineExceeded
		})
	}
	others := []string{"c", "d", "e", "f"}
	for _, gameID := range others {
		f.putRunning(gameID, "n1", "c", startedAt)
		f.prober.set("http://"+gameID+"/healthz", fails("no"))
	}
	errc := make(chan error, 1)
	go func() { errc <- f.Pass(t.Context()) }()
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(others, func(gameID string) bool { return f.unhealthy(gameID) == "" })
	}, timeout, time.Millisecond, "the others wait for the games that hang")
	require.Empty(t, f.unhealthy("a"))
	close(release)
	require.NoError(t, <-errc)
	require.NotEmpty(t, f.unhealthy("a"))
}

// A probe that ends with the daemon does not count.
func TestInterruptedPass(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Failures: 1})
	f.putRunning("g", "n1", "c1", startedAt)
	ctx, cancel := context.WithCancel(t.Context())
	f.prober.set("http://g/healthz", func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	})
	require.ErrorIs(t, f.Pass(ctx), context.Canceled)
	require.Empty(t, f.unhealthy("g"))
	require.Empty(t, f.takeEnqueued())
}

func TestRunProbesUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Interval: time.Millisecond})
	f.putRunning("g", "n1", "c1", startedAt)
	ctx, cancel := context.WithCancel(t.Context())
	errc := make(chan error, 1)
	go func() { errc <- f.Run(ctx) }()
	require.Eventually(t, func() bool { return len(f.prober.urls()) > 3 }, timeout, time.Millisecond)
	cancel()
	require.NoError(t, <-errc)
}

// An intent is read once per revision of the record, and after an operation.
func TestIntentsAreReadWhenTheyMayHaveChanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{})
	f.putRunning("g", "n1", "c1", startedAt)
	intent := operation.Intent{GameID: "g", Spec: operation.Spec{Image: "a:1", HealthPath: "/old"}, Current: &operation.Operation{ID: "op"}}
	version, err := f.store.PutIntent(t.Context(), intent, ports.IntentVersion{})
	require.NoError(t, err)
	f.passes(3)
	require.Equal(t, 3, f.intents.reads, "an operation in progress may change the spec")
	require.Empty(t, f.prober.urls(), "the operation checks the health itself")
	intent.Spec.HealthPath, intent.Current = "/new", nil
	_, err = f.store.PutIntent(t.Context(), intent, version)
	require.NoError(t, err)
	f.passes(5)
	require.Equal(t, 4, f.intents.reads)
	f.putRunning("g", "n1", "c2", startedAt) // the next operation has changed the record
	f.passes(2)
	require.Equal(t, 5, f.intents.reads)
	require.Equal(t, []string{"http://g/new"}, slices.Compact(f.prober.urls()))
	f.passes(20)
	require.Equal(t, 6, f.intents.reads, "a cached spec expires")
}

// An intent that the store knows is not read before its spec expires.
func TestKnownIntentsAreNotRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{})
	f.intents.isKnown = true
	f.putRunning("g", "n1", "c1", startedAt)
	intent := operation.Intent{GameID: "g", Spec: operation.Spec{Image: "a:1", HealthPath: "/old"}, Current: &operation.Operation{ID: "op"}}
	version, err := f.store.PutIntent(t.Context(), intent, ports.IntentVersion{})
	require.NoError(t, err)
	f.passes(3)
	require.Empty(t, f.prober.urls(), "the operation checks the health itself")
	intent.Spec.HealthPath, intent.Current = "/new", nil
	_, err = f.store.PutIntent(t.Context(), intent, version)
	require.NoError(t, err)
	f.passes(5)
	f.putRunning("g", "n1", "c2", startedAt)
	f.passes(5)
	require.Zero(t, f.intents.reads)
	require.Equal(t, []string{"http://g/new"}, slices.Compact(f.prober.urls()))
	f.passes(10)
	require.Equal(t, 1, f.intents.reads, "a cached spec expires")
}

// A game that starts slowly does not become unhealthy during the operation that starts
// it: the health timeout of the operation decides.
func TestFailuresDuringAnOperationDoNotCount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Failures: 2})
	f.prober.set("http://g/healthz", fails("still loading"))
	f.putRunning("g", "n1", "c1", startedAt)
	version, err := f.store.PutIntent(t.Context(), operation.Intent{GameID: "g", Current: &operation.Operation{ID: "op"}}, ports.IntentVersion{})
	require.NoError(t, err)
	f.passes(5)
	require.Empty(t, f.unhealthy("g"))
	_, err = f.store.PutIntent(t.Context(), operation.Intent{GameID: "g"}, version)
	require.NoError(t, err)
	f.passes(1)
	require.Empty(t, f.unhealthy("g"), "failures count from the end of the operation")
	f.passes(1)
	require.NotEmpty(t, f.unhealthy("g"))
}
