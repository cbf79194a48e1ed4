package cleanup_test

import (
	"context"
	"log/slog"
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

// operator writes down what it was asked for, and answers as it is told to.
type operator struct {
	asked []ports.OperationRequest
	err   error
	// meanwhile, when not nil, happens before each answer.
	meanwhile func()
}

func (o *operator) Execute(_ context.Context, request ports.OperationRequest, _ func(operation.Progress)) (operation.Outcome, error) {
	o.asked = append(o.asked, request)
	if o.meanwhile != nil {
		o.meanwhile()
	}
	return operation.Outcome{}, o.err
}

func (o *operator) games() []string {
	games := []string{}
	for _, request := range o.asked {
		games = append(games, request.GameID)
	}
	return games
}

// bench is a worker on a store in memory, whose clock is set by hand.
type bench struct {
	*cleanup.Worker
	t        *testing.T
	store    *memstore.Store
	operator *operator
	now      time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, store: memstore.New(), operator: &operator{}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b.restart()
	return b
}

// restart is what a new daemon does.
func (b *bench) restart() {
	b.Worker = cleanup.New(b.store, b.operator, cleanup.Config{
		Region: "eu", Node: "n1", After: after, Clock: func() time.Time { return b.now }, Logger: slog.New(slog.DiscardHandler),
	})
}

// later makes a pass when some time has gone by, and returns how many it cleaned up.
func (b *bench) later(d time.Duration) int {
	b.t.Helper()
	b.now = b.now.Add(d)
	cleaned, err := b.Pass(b.t.Context())
	require.NoError(b.t, err)
	return cleaned
}

// put writes a game's record; stoppedAt is zero for one that runs.
func (b *bench) put(gameID, node string, stoppedAt time.Time) {
	b.t.Helper()
	began := b.now.Add(-24 * time.Hour)
	record := runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, Region: "eu", Node: node, CurrentContainerID: "c",
		CreatedAt: began, LastOpAt: began, StartedAt: &began,
	}
	if !stoppedAt.IsZero() {
		record.Status, record.StoppedAt = runtime.StatusStopped, &stoppedAt
	}
	require.NoError(b.t, record.Validate())
	require.NoError(b.t, b.store.Upsert(b.t.Context(), record))
}

func TestGameThatIsStoppedForLongIsCleanedUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("g", "n1", b.now)
	require.Zero(t, b.later(0))
	require.Zero(t, b.later(after-time.Nanosecond))
	require.Equal(t, 1, b.later(time.Nanosecond))
	require.Len(t, b.operator.asked, 1)
	request := b.operator.asked[0]
	require.Equal(t, "g", request.GameID)
	require.Equal(t, operation.KindCleanup, request.Kind)
	require.Equal(t, "cleanup", request.Origin.Actor)
	require.Equal(t, "stopped for 1h0m0s", request.Origin.Reason)
}

// Whatever the record's own stamp says, by whoever's clock.
func TestStampsOfOtherClocksDoNotCount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for gameID, off := range map[string]time.Duration{
		"past": -1000 * time.Hour, "behind": -after - 10*time.Minute, "ahead": 10 * time.Minute, "future": 1000 * time.Hour,
	} {
		b.put(gameID, "n1", b.now.Add(off))
	}
	require.Zero(t, b.later(0))
	require.Zero(t, b.later(after-time.Second))
	require.Equal(t, 4, b.later(time.Second))
}

func TestOnlyStoppedGamesOfThisNode(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("runs", "n1", time.Time{})
	b.put("another's", "n2", b.now)
	b.put("mine", "n1", b.now)
	b.later(0)
	b.later(2 * after)
	require.Equal(t, []string{"mine"}, b.operator.games())
}

func TestRestartInBetweenCountsAnew(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("g", "n1", b.now)
	b.later(0)
	b.later(after - time.Minute)
	b.put("g", "n1", time.Time{}) // and no pass sees it run
	b.put("g", "n1", b.now)
	require.Zero(t, b.later(time.Minute))
	require.Zero(t, b.later(after-time.Second))
	require.Equal(t, 1, b.later(time.Second))
}

func TestNewDaemonCountsAnew(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("g", "n1", b.now)
	b.later(0)
	b.later(after - time.Minute)
	b.restart()
	require.Zero(t, b.later(time.Minute))
	require.Zero(t, b.later(after-time.Second))
	require.Equal(t, 1, b.later(time.Second))
}

// A game at which something happens is left, and is no failure of the pass.
func TestRefusedGamesAreLeft(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{operation.ErrRefused, operation.ErrBusy, runtime.ErrNotFound} {
		b := newBench(t)
		b.put("a", "n1", b.now)
		b.put("b", "n1", b.now)
		b.operator.err = refusal
		b.later(0)
		require.Zero(t, b.later(after))
		require.Equal(t, []string{"a", "b"}, b.operator.games())
	}
}

func TestFailureOnOneGameIsToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("a", "n1", b.now)
	b.put("b", "n1", b.now)
	b.later(0)
	b.now = b.now.Add(after)
	b.operator.err = container.ErrEngineUnavailable
	_, err := b.Pass(t.Context())
	require.ErrorIs(t, err, container.ErrEngineUnavailable)
	require.ErrorContains(t, err, `clean up "a"`)
	require.ErrorContains(t, err, `clean up "b"`)
	b.operator.err = nil
	require.Equal(t, 2, b.later(0))
}

// The list is old by the time that its last game has its turn.
func TestGameThatMovesDuringThePassIsLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("a", "n1", b.now)
	b.put("b", "n1", b.now)
	b.later(0)
	b.operator.meanwhile = func() {
		b.put("b", "n1", time.Time{})
		b.put("b", "n1", b.now)
	}
	require.Equal(t, 1, b.later(after))
	require.Equal(t, []string{"a"}, b.operator.games())
}

func TestStoreThatDoesNotAnswerIsNamed(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newBench(t).Pass(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "list the stopped games")
}

// The whole of it, on a real node.
func TestCleanupOfARealGame(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.MustExecute(nodetest.StartOp("runs", nodetest.GameSpec("1.0.0")))
	n.MustExecute(nodetest.StartOp("stopped", nodetest.GameSpec("1.0.0")))
	n.MustExecute(nodetest.Op(operation.KindStop, "stopped"))
	w := cleanup.New(n.Store, n.Service, cleanup.Config{
		Region: "eu", Node: "n1", After: time.Nanosecond, Interval: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- w.Run(ctx) }()
	require.Eventually(t, func() bool { return n.Record("stopped").Status == runtime.StatusRemoved }, nodetest.Timeout, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-over)
	require.Empty(t, n.Containers("stopped"))
	require.Equal(t, runtime.StatusRunning, n.Record("runs").Status)
	require.Len(t, n.Containers("runs"), 1)
	history, err := n.Store.History(t.Context(), "stopped")
	require.NoError(t, err)
	require.Equal(t, "cleanup", history[0].Actor)
}
