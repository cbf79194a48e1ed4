package cleanup_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/nodetest"
	"galaxy/rtmanager/internal/workers/cleanup"
)

func TestMain(m *testing.M) { os.Exit(nodetest.Main(m)) }

const after = time.Hour

// executor records its requests and returns err.
type executor struct {
	requests []ports.OperationRequest
	err      error
	// onExecute, when not nil, is called before each result.
	onExecute func()
}

func (e *executor) Execute(_ context.Context, request ports.OperationRequest, _ func(operation.Progress)) (operation.Outcome, error) {
	e.requests = append(e.requests, request)
	if e.onExecute != nil {
		e.onExecute()
	}
	return operation.Outcome{}, e.err
}

func (e *executor) games() []string {
	games := []string{}
	for _, request := range e.requests {
		games = append(games, request.GameID)
	}
	return games
}

// fixture is a worker on a store in memory, with a fake clock.
type fixture struct {
	*cleanup.Worker
	t        *testing.T
	store    *memstore.Store
	executor *executor
	now      time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, store: memstore.New(), executor: &executor{}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	f.restart()
	return f
}

// restart replaces the worker, as a new daemon does.
func (f *fixture) restart() {
	f.Worker = cleanup.New(
		cleanup.Dependencies{Records: f.store, Intents: f.store, Executor: f.executor},
		cleanup.Config{Region: "eu", Node: "n1", After: after, Clock: func() time.Time { return f.now }},
	)
}

// putDesired writes the intent of a game that has none.
func (f *fixture) putDesired(gameID string, status runtime.Status) {
	f.t.Helper()
	_, err := f.store.PutIntent(f.t.Context(), operation.Intent{GameID: gameID, DesiredStatus: status}, ports.IntentVersion{})
	require.NoError(f.t, err)
}

// passAfter moves the clock and makes a pass. It returns the number of cleaned games.
func (f *fixture) passAfter(d time.Duration) int {
	f.t.Helper()
	f.now = f.now.Add(d)
	cleaned, err := f.Pass(f.t.Context())
	require.NoError(f.t, err)
	return cleaned
}

// put writes the record of a game; a zero stoppedAt means that it is running.
func (f *fixture) put(gameID, node string, stoppedAt time.Time) {
	f.t.Helper()
	startedAt := f.now.Add(-24 * time.Hour)
	record := runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, Region: "eu", Node: node, CurrentContainerID: "c",
		CreatedAt: startedAt, LastOpAt: startedAt, StartedAt: &startedAt,
	}
	if !stoppedAt.IsZero() {
		record.Status, record.StoppedAt = runtime.StatusStopped, &stoppedAt
	}
	require.NoError(f.t, record.Validate())
	require.NoError(f.t, f.store.Upsert(f.t.Context(), record))
}

func TestGameIsCleanedUpAfterTheConfiguredTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put("g", "n1", f.now)
	require.Zero(t, f.passAfter(0))
	require.Zero(t, f.passAfter(after-time.Nanosecond))
	require.Equal(t, 1, f.passAfter(time.Nanosecond))
	require.Len(t, f.executor.requests, 1)
	request := f.executor.requests[0]
	require.Equal(t, "g", request.GameID)
	require.Equal(t, operation.KindCleanup, request.Kind)
	require.Equal(t, "cleanup", request.Origin.Actor)
	require.Equal(t, "stopped for 1h0m0s", request.Origin.Reason)
}

// The time in the record may come from another clock.
func TestStoppedAtOfTheRecordDoesNotCount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for gameID, offset := range map[string]time.Duration{
		"past": -1000 * time.Hour, "behind": -after - 10*time.Minute, "ahead": 10 * time.Minute, "future": 1000 * time.Hour,
	} {
		f.put(gameID, "n1", f.now.Add(offset))
	}
	require.Zero(t, f.passAfter(0))
	require.Zero(t, f.passAfter(after-time.Second))
	require.Equal(t, 4, f.passAfter(time.Second))
}

// A cleanup would make the removal of a crashed game its desired status.
func TestAGameThatIsDesiredToRunIsKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for gameID, desired := range map[string]runtime.Status{"crashed": runtime.StatusRunning, "stopped": runtime.StatusStopped} {
		f.put(gameID, "n1", f.now)
		f.putDesired(gameID, desired)
	}
	require.Zero(t, f.passAfter(0))
	require.Equal(t, 1, f.passAfter(after))
	require.Equal(t, []string{"stopped"}, f.executor.games())
}

func TestOnlyStoppedGamesOfThisNode(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put("running", "n1", time.Time{})
	f.put("on n2", "n2", f.now)
	f.put("on n1", "n1", f.now)
	f.passAfter(0)
	f.passAfter(2 * after)
	require.Equal(t, []string{"on n1"}, f.executor.games())
}

func TestRestartOfTheGameResetsTheTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put("g", "n1", f.now)
	f.passAfter(0)
	f.passAfter(after - time.Minute)
	f.put("g", "n1", time.Time{}) // not observed by any pass
	f.put("g", "n1", f.now)
	require.Zero(t, f.passAfter(time.Minute))
	require.Zero(t, f.passAfter(after-time.Second))
	require.Equal(t, 1, f.passAfter(time.Second))
}

func TestNewDaemonResetsTheTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put("g", "n1", f.now)
	f.passAfter(0)
	f.passAfter(after - time.Minute)
	f.restart()
	require.Zero(t, f.passAfter(time.Minute))
	require.Zero(t, f.passAfter(after-time.Second))
	require.Equal(t, 1, f.passAfter(time.Second))
}

// A game that is being changed is skipped, and is not an error of the pass.
func TestRejectedGamesAreSkipped(t *testing.T) {
	t.Parallel()
	for _, rejection := range []error{operation.ErrRejected, operation.ErrBusy, runtime.ErrNotFound} {
		f := newFixture(t)
		f.put("a", "n1", f.now)
		f.put("b", "n1", f.now)
		f.executor.err = rejection
		f.passAfter(0)
		require.Zero(t, f.passAfter(after))
		require.Equal(t, []string{"a", "b"}, f.executor.games())
	}
}

func TestFailedCleanupIsReportedAndRetried(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put("a", "n1", f.now)
	f.put("b", "n1", f.now)
	f.passAfter(0)
	f.now = f.now.Add(after)
	f.executor.err = container.ErrEngineUnavailable
	_, err := f.Pass(t.Context())
	require.ErrorIs(t, err, container.ErrEngineUnavailable)
	require.ErrorContains(t, err, `clean up "a"`)
	require.ErrorContains(t, err, `clean up "b"`)
	f.executor.err = nil
	require.Equal(t, 2, f.passAfter(0))
}

// The cleanups of a pass may take long, so that its list is old for the last game.
func TestGameThatChangesDuringThePassIsSkipped(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put("a", "n1", f.now)
	f.put("b", "n1", f.now)
	f.passAfter(0)
	f.executor.onExecute = func() {
		f.put("b", "n1", time.Time{})
		f.put("b", "n1", f.now)
	}
	require.Equal(t, 1, f.passAfter(after))
	require.Equal(t, []string{"a"}, f.executor.games())
}

func TestErrorOfTheStoreIsReported(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newFixture(t).Pass(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "list the stopped games")
}

// The worker with real parts.
func TestCleanupOnARealNode(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.MustExecute(nodetest.StartOp("running", nodetest.GameSpec("1.0.0")))
	n.MustExecute(nodetest.StartOp("stopped", nodetest.GameSpec("1.0.0")))
	n.MustExecute(nodetest.Op(operation.KindStop, "stopped"))
	w := cleanup.New(
		cleanup.Dependencies{Records: n.Store, Intents: n.Store, Executor: n.Service},
		cleanup.Config{Region: "eu", Node: "n1", After: time.Nanosecond, Interval: time.Millisecond},
	)
	ctx, cancel := context.WithCancel(t.Context())
	errc := make(chan error, 1)
	go func() { errc <- w.Run(ctx) }()
	require.Eventually(t, func() bool { return n.Record("stopped").Status == runtime.StatusRemoved }, nodetest.Timeout, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-errc)
	require.Empty(t, n.Containers("stopped"))
	require.Equal(t, runtime.StatusRunning, n.Record("running").Status)
	require.Len(t, n.Containers("running"), 1)
	history, err := n.Store.History(t.Context(), "stopped")
	require.NoError(t, err)
	require.Equal(t, "cleanup", history[0].Actor)
}
