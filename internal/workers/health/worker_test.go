package health_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

const patience = 30 * time.Second

// prober answers for each URL what it is told to; nil is a game that is well.
type prober struct {
	mu      sync.Mutex
	answers map[string]func(ctx context.Context) error
	asked   []string
}

func (p *prober) Probe(ctx context.Context, url string) error {
	p.mu.Lock()
	answer := p.answers[url]
	p.asked = append(p.asked, url)
	p.mu.Unlock()
	if answer == nil {
		return nil
	}
	return answer(ctx)
}

func (p *prober) on(url string, answer func(ctx context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[url] = answer
}

func (p *prober) urls() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	sorted := slices.Clone(p.asked)
	slices.Sort(sorted)
	return sorted
}

// damaged is a store with an intent that cannot be read.
type damaged struct{ ports.IntentStore }

func (s damaged) GetIntents(ctx context.Context, gameIDs []string) ([]ports.VersionedIntent, error) {
	intents, err := s.IntentStore.GetIntents(ctx, gameIDs)
	return intents, errors.Join(err, &runtime.CorruptError{Key: "/operations/x", GameID: "x", Reason: "is half of one"})
}

// counting counts the intents that are asked for.
type counting struct {
	ports.IntentStore
	asked int
}

func (s *counting) GetIntents(ctx context.Context, gameIDs []string) ([]ports.VersionedIntent, error) {
	s.asked += len(gameIDs)
	return s.IntentStore.GetIntents(ctx, gameIDs)
}

// bench is a worker of eu/n1 on a store in memory.
type bench struct {
	*health.Worker
	t       *testing.T
	store   *memstore.Store
	intents *counting
	prober  *prober

	mu      sync.Mutex
	noticed []string
}

func newBench(t *testing.T, cfg health.Config) *bench {
	t.Helper()
	b := &bench{t: t, store: memstore.New(), prober: &prober{answers: map[string]func(context.Context) error{}}}
	cfg.Region, cfg.Node, cfg.Logger, cfg.Notice = "eu", "n1", slog.New(slog.DiscardHandler), b.notice
	b.intents = &counting{IntentStore: damaged{b.store}}
	b.Worker = health.New(b.store, b.intents, b.prober, cfg)
	return b
}

func (b *bench) notice(gameID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noticed = append(b.noticed, gameID)
}

func (b *bench) news() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	news := b.noticed
	b.noticed = nil
	return news
}

// runs writes the record of a game that answers at http://GAME.
func (b *bench) runs(gameID, node, containerID string, startedAt time.Time) {
	b.t.Helper()
	record := runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, Region: "eu", Node: node, CurrentContainerID: containerID,
		EngineEndpoint: "http://" + gameID, CreatedAt: startedAt, LastOpAt: startedAt, StartedAt: &startedAt,
	}
	require.NoError(b.t, record.Validate())
	require.NoError(b.t, b.store.Upsert(b.t.Context(), record))
}

func (b *bench) is(gameID string, spec operation.Spec) {
	b.t.Helper()
	_, err := b.store.PutIntent(b.t.Context(), operation.Intent{GameID: gameID, Spec: spec}, ports.IntentVersion{})
	require.NoError(b.t, err)
}

// unhealthy is what is said of the game as its record stands now.
func (b *bench) unhealthy(gameID string) string {
	b.t.Helper()
	record, err := b.store.Get(b.t.Context(), gameID)
	if !errors.Is(err, runtime.ErrNotFound) {
		require.NoError(b.t, err)
	}
	return b.Unhealthy(record)
}

func (b *bench) rounds(count int) {
	b.t.Helper()
	for range count {
		require.NoError(b.t, b.Pass(b.t.Context()))
	}
}

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func fails(text string) func(context.Context) error {
	return func(context.Context) error { return errors.New(text) }
}

func TestGameThatFailsSoManyTimesIsUnhealthy(t *testing.T) {
	t.Parallel()
	b := newBench(t, health.Config{})
	b.runs("g", "n1", "c1", began)
	b.rounds(5)
	require.Empty(t, b.unhealthy("g"))
	b.prober.on("http://g/healthz", fails("answered 503"))
	b.rounds(2)
	require.Empty(t, b.unhealthy("g"))
	require.Empty(t, b.news())
	b.rounds(1)
	require.Equal(t, "container c1 has failed its health check 3 times or more: answered 503", b.unhealthy("g"))
	require.Equal(t, []string{"g"}, b.news())
	b.rounds(3)
	require.Empty(t, b.news(), "it is news once")

	b.prober.on("http://g/healthz", nil)
	b.rounds(1)
	require.Empty(t, b.unhealthy("g"))
	require.Equal(t, []string{"g"}, b.news())
	require.Empty(t, b.unhealthy("nobody"))
}

func TestGameThatFailsNowAndThenIsWell(t *testing.T) {
	t.Parallel()
	b := newBench(t, health.Config{Failures: 2})
	b.runs("g", "n1", "c1", began)
	for range 3 {
		b.prober.on("http://g/healthz", fails("no"))
		b.rounds(1)
		b.prober.on("http://g/healthz", nil)
		b.rounds(1)
	}
	require.Empty(t, b.unhealthy("g"))
	require.Empty(t, b.news())
}

// Errors name what changes with each try, the port of the connection say. What is
// found of the game is one finding all the same.
func TestWordsOfAFindingStay(t *testing.T) {
	t.Parallel()
	b := newBench(t, health.Config{Failures: 2})
	b.runs("g", "n1", "c1", began)
	tries := 0
	b.prober.on("http://g/healthz", func(context.Context) error {
		tries++
		return fmt.Errorf("read 127.0.0.1:%d: connection reset", 40000+tries)
	})
	b.rounds(2)
	words := b.unhealthy("g")
	require.Contains(t, words, "40002")
	b.rounds(3)
	require.Equal(t, words, b.unhealthy("g"))
}

func TestContainerThatWasStartedAgainCountsAnew(t *testing.T) {
	t.Parallel()
	b := newBench(t, health.Config{Failures: 2})
	b.prober.on("http://g/healthz", fails("no"))
	b.runs("g", "n1", "c1", began)
	b.rounds(2)
	require.NotEmpty(t, b.unhealthy("g"))
	b.runs("g", "n1", "c1", began.Add(time.Second)) // the same container
	require.Empty(t, b.unhealthy("g"), "what the run before did says nothing of this one")
	b.rounds(1)
	require.Empty(t, b.unhealthy("g"))
	b.rounds(1)
	require.NotEmpty(t, b.unhealthy("g"))
	b.runs("g", "n1", "c2", began.Add(time.Second)) // another one
	b.rounds(1)
	require.Empty(t, b.unhealthy("g"))
}

func TestGameThatRunsNoMoreIsForgotten(t *testing.T) {
	t.Parallel()
	b := newBench(t, health.Config{Failures: 1})
	b.prober.on("http://g/healthz", fails("no"))
	b.runs("g", "n1", "c1", began)
	b.rounds(1)
	require.NotEmpty(t, b.unhealthy("g"))
	require.NoError(t, b.store.UpdateStatus(t.Context(), ports.UpdateStatusInput{
		GameID: "g", ExpectedFrom: runtime.StatusRunning, To: runtime.StatusStopped, Now: began.Add(time.Minute),
	}))
	b.rounds(1)
	require.Empty(t, b.unhealthy("g"))
}

// A store takes records that contradict themselves, if somebody does not validate them.
func TestRecordWithoutItsStart(t *testing.T) {
	t.Parallel()
	b := newBench(t, health.Config{Failures: 1})
	require.NoError(t, b.store.Upsert(t.Context(), runtime.RuntimeRecord{
		GameID: "g", Status: runtime.StatusRunning, Region: "eu", Node: "n1", CurrentContainerID: "c", EngineEndpoint: "http://g",
	}))
	b.prober.on("http://g/healthz", fails("no"))
	b.rounds(1)
	require.NotEmpty(t, b.unhealthy("g"))
}

func TestWhoIsAskedWhere(t *testing.T) {
	t.Parallel()
	b := newBench(t, health.Config{})
	for _, gameID := range []string{"plain", "own path", "none", "x"} {
		b.runs(gameID, "n1", "c", began)
	}
	b.runs("elsewhere", "n2", "c", began)
	b.is("own path", operation.Spec{Image: "a:1", HealthPath: "/well"})
	b.is("none", operation.Spec{Image: "a:1", HealthPath: operation.NoHealthCheck})
	nowhere, err := b.store.Get(t.Context(), "plain")
	require.NoError(t, err)
	nowhere.GameID, nowhere.EngineEndpoint = "nowhere", ""
	require.NoError(t, b.store.Upsert(t.Context(), nowhere))
	b.rounds(1)
	require.Equal(t, []string{"http://own path/well", "http://plain/healthz", "http://x/healthz"}, b.prober.urls())
}

// Games that hang keep the others waiting only where there are too many of them.
func TestGameThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, health.Config{Concurrency: 3, Failures: 1})
	let := make(chan struct{})
	for _, gameID := range []string{"a", "b"} {
		b.runs(gameID, "n1", "c", began)
		b.prober.on("http://"+gameID+"/healthz", func(context.Context) error {
			<-let
			return context.DeadlineExceeded
		})
	}
	others := []string{"c", "d", "e", "f"}
	for _, gameID := range others {
		b.runs(gameID, "n1", "c", began)
		b.prober.on("http://"+gameID+"/healthz", fails("no"))
	}
	over := make(chan error, 1)
	go func() { over <- b.Pass(t.Context()) }()
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(others, func(gameID string) bool { return b.unhealthy(gameID) == "" })
	}, patience, time.Millisecond, "the others have to wait for those that hang")
	require.Empty(t, b.unhealthy("a"))
	close(let)
	require.NoError(t, <-over)
	require.NotEmpty(t, b.unhealthy("a"))
}

// What a daemon that is stopping did not hear says nothing of the game.
func TestRoundThatIsBrokenOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, health.Config{Failures: 1})
	b.runs("g", "n1", "c1", began)
	ctx, cancel := context.WithCancel(t.Context())
	b.prober.on("http://g/healthz", func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	})
	require.ErrorIs(t, b.Pass(ctx), context.Canceled)
	require.Empty(t, b.unhealthy("g"))
	require.Empty(t, b.news())
}

func TestRunAsksUntilItIsStopped(t *testing.T) {
	t.Parallel()
	b := newBench(t, health.Config{Interval: time.Millisecond})
	b.runs("g", "n1", "c1", began)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- b.Run(ctx) }()
	require.Eventually(t, func() bool { return len(b.prober.urls()) > 3 }, patience, time.Millisecond)
	cancel()
	require.NoError(t, <-over)
}

// What does not change is not read again; what an operation changes is, once that is over.
func TestIntentsAreReadWhenTheyMayHaveChanged(t *testing.T) {
	t.Parallel()
	b := newBench(t, health.Config{})
	b.runs("g", "n1", "c1", began)
	intent := operation.Intent{GameID: "g", Spec: operation.Spec{Image: "a:1", HealthPath: "/old"}, Current: &operation.Operation{ID: "op"}}
	revision, err := b.store.PutIntent(t.Context(), intent, ports.IntentVersion{})
	require.NoError(t, err)
	b.rounds(3)
	require.Equal(t, 3, b.intents.asked, "an operation is in progress, and may change anything")
	require.Empty(t, b.prober.urls(), "and waits for health itself")
	intent.Spec.HealthPath, intent.Current = "/new", nil
	_, err = b.store.PutIntent(t.Context(), intent, revision)
	require.NoError(t, err)
	b.rounds(5)
	require.Equal(t, 4, b.intents.asked)
	b.runs("g", "n1", "c2", began) // the next operation has changed the record
	b.rounds(2)
	require.Equal(t, 5, b.intents.asked)
	require.Equal(t, []string{"http://g/new"}, slices.Compact(b.prober.urls()))
	b.rounds(20)
	require.Equal(t, 6, b.intents.asked, "nothing is believed for ever")
}

// A game that takes longer to come up than rounds take to give it up is not given up:
// the operation that starts it says how long it may take.
func TestFailuresDuringAnOperationDoNotCount(t *testing.T) {
	t.Parallel()
	b := newBench(t, health.Config{Failures: 2})
	b.prober.on("http://g/healthz", fails("still loading"))
	b.runs("g", "n1", "c1", began)
	revision, err := b.store.PutIntent(t.Context(), operation.Intent{GameID: "g", Current: &operation.Operation{ID: "op"}}, ports.IntentVersion{})
	require.NoError(t, err)
	b.rounds(5)
	require.Empty(t, b.unhealthy("g"))
	_, err = b.store.PutIntent(t.Context(), operation.Intent{GameID: "g"}, revision)
	require.NoError(t, err)
	b.rounds(1)
	require.Empty(t, b.unhealthy("g"), "it counts from the end of the operation")
	b.rounds(1)
	require.NotEmpty(t, b.unhealthy("g"))
}
