package lifecycle_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/fakeengine"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// stop requests a stop of the game on the node in the background.
func (g *movingGame) stop(n *nodetest.Node) <-chan error {
	stopped := make(chan error, 1)
	request := nodetest.Op(operation.KindStop, "g")
	request.Origin.OperationID = "stop-1"
	go func() {
		outcome, err := n.Execute(request)
		if err == nil && outcome.OperationID != "stop-1" {
			err = errors.New("the outcome is that of " + outcome.OperationID)
		}
		stopped <- err
	}()
	return stopped
}

// resumeUntil lets both nodes continue what is assigned to them until the channel has a result.
func (g *movingGame) resumeUntil(result <-chan error) error {
	g.t.Helper()
	deadline := time.After(nodetest.Timeout)
	for {
		select {
		case err := <-result:
			return err
		case <-deadline:
			g.t.Fatal("the request has no result")
		default:
		}
		_, _ = g.from.Service.Resume(g.t.Context(), "g")
		_, _ = g.to.Service.Resume(g.t.Context(), "g")
	}
}

// A stop ends a move at each of its steps, whichever node it is sent to: the game is stopped on its
// former node.
func TestStopOfAMove(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		advance  func(g *movingGame)
		atTarget bool
	}{
		"before the target prepares":                     {func(*movingGame) {}, false},
		"before the target prepares, sent to the target": {func(*movingGame) {}, true},
		"before the source stops":                        {func(g *movingGame) { g.resume(g.to) }, false},
		"before the target starts":                       {func(g *movingGame) { g.resume(g.to); g.resume(g.from) }, false},
		"before the target starts, sent to the target":   {func(g *movingGame) { g.resume(g.to); g.resume(g.from) }, true},
		"while the target starts it, sent to the target": {func(g *movingGame) {
			g.resume(g.to)
			g.resume(g.from)
			go func() { _, _ = g.to.Service.Resume(g.t.Context(), "g") }()
			require.Eventually(g.t, func() bool {
				op := g.current()
				return op != nil && op.Step == operation.StepAwaitingHealth
			}, nodetest.Timeout, 10*time.Millisecond)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The game gets healthy on the source only.
			healthy := &healthSwitch{}
			healthy.on.Store(true)
			g := beginMoveOf(t, nodetest.GameSpec("1.0.0"), nodetest.Config{Prober: healthy}, nodetest.Config{Prober: &healthSwitch{}})
			c.advance(g)
			target := g.from
			if c.atTarget {
				target = g.to
			}
			stopped := g.stop(target)
			if !c.atTarget { // a stop is sent to the node that has claimed the move
				require.Eventually(t, func() bool {
					op := g.current()
					return op == nil || op.PreemptedBy != nil || op.Kind == operation.KindStop
				}, nodetest.Timeout, 10*time.Millisecond)
			}
			require.NoError(t, g.resumeUntil(stopped))
			require.ErrorIs(t, g.resumeUntil(g.outcome), operation.ErrPreempted)
			record := g.from.Record("g")
			require.Equal(t, []string{"n1", "stopped"}, []string{record.Node, string(record.Status)})
			stored, err := g.from.Store.GetIntent(t.Context(), "g")
			require.NoError(t, err)
			require.Equal(t, runtime.StatusStopped, stored.Intent.DesiredStatus)
			for _, n := range []*nodetest.Node{g.from, g.to} {
				for _, found := range n.Containers("g") {
					require.NotEqual(t, container.StateRunning, found.State)
				}
			}
			requireNoReservation(t, g.from)
		})
	}
}

// A move reserves its target before anything is stopped: of two moves to a node with one space, one is rejected.
func TestMoveReservesItsTarget(t *testing.T) {
	t.Parallel()
	prefix := etcdtest.Prefix(t)
	newNode := func(name string, games int) *nodetest.Node {
		n := nodetest.New(t, nodetest.Config{
			Prefix: prefix, Region: "eu", Name: name, LeaseTTL: 2 * time.Minute, MinUptime: time.Millisecond, Capacity: node.Capacity{Games: games},
		})
		n.Run()
		return n
	}
	from, to := newNode("n1", 0), newNode("n2", 1)
	var moves sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		gameID := string(rune('a' + i))
		from.MustExecute(nodetest.StartOp(gameID, nodetest.GameSpec("1.0.0")))
	}
	before := map[string]runtime.RuntimeRecord{}
	for i := range errs {
		before[string(rune('a'+i))] = from.Record(string(rune('a' + i)))
	}
	for i := range errs {
		moves.Go(func() {
			request := nodetest.Op(operation.KindMove, string(rune('a'+i)))
			request.Target = &node.Ref{Name: "n2"}
			_, errs[i] = from.Execute(request)
		})
	}
	moves.Wait()
	succeeded := 0
	for i, err := range errs {
		record := from.Record(string(rune('a' + i)))
		if err == nil {
			succeeded++
			require.Equal(t, "n2", record.Node)
			continue
		}
		require.ErrorIs(t, err, node.ErrNoCapacity)
		require.Equal(t, before[record.GameID].CurrentContainerID, record.CurrentContainerID)
		require.Equal(t, before[record.GameID].StartedAt, record.StartedAt, "the game was not stopped")
	}
	require.Equal(t, 1, succeeded)
	requireNoReservation(t, to)
}

// The source is lost while the target rolls the move back: the move ends, and the game is one of a lost node.
func TestMoveEndsWithoutItsSource(t *testing.T) {
	t.Parallel()
	clock := newSteppedClock()
	g := beginMoveOf(t, nodetest.GameSpec("1.0.0"), nodetest.Config{}, nodetest.Config{
		Clock: clock.now, WrapEngine: func(engine ports.Engine) ports.Engine { return unableEngine{engine} },
	})
	g.resume(g.to)
	g.resume(g.from)
	require.NoError(t, g.from.Member.Close())
	_, err := g.to.Service.Resume(t.Context(), "g")
	require.ErrorIs(t, err, node.ErrUnreachable, "the source may return soon")
	require.Equal(t, operation.StepRollingBack, g.current().Step)
	clock.advance(time.Minute)
	_, err = g.to.Service.Resume(t.Context(), "g")
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.Nil(t, g.current())
	stored, err := g.to.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, runtime.StatusRunning, stored.Intent.DesiredStatus)
	require.Equal(t, []string{"n1", "stopped"}, []string{g.to.Record("g").Node, string(g.to.Record("g").Status)})
	require.Empty(t, g.to.Containers("g"))
}

// Two nodes share one engine: a move between them runs the game once at any time, and one that fails on the
// target restores the container of the source.
func TestMoveOnASharedEngine(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"success": false, "failure": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			machine := fakeengine.New("gameserver:1.0.0")
			newEngine := func(name string) func(string) ports.Engine {
				return func(store string) ports.Engine {
					return machine.Engine(fakeengine.Owner{Store: store, Region: "eu", Node: name})
				}
			}
			to := nodetest.Config{NewEngine: newEngine("n2"), Prober: &healthSwitch{}}
			if !fails {
				to.Prober.(*healthSwitch).on.Store(true)
			}
			healthy := &healthSwitch{}
			healthy.on.Store(true)
			spec := nodetest.GameSpec("1.0.0")
			spec.HealthTimeout = operation.Duration(time.Second)
			g := beginMoveOf(t, spec, nodetest.Config{NewEngine: newEngine("n1"), Prober: healthy}, to)
			before := g.from.Record("g")
			err := g.resumeUntil(g.outcome)
			if fails {
				require.ErrorIs(t, err, operation.ErrStartFailed)
				require.Equal(t, before.CurrentContainerID, g.from.Record("g").CurrentContainerID)
				g.requireRunning(g.from, g.to)
			} else {
				require.NoError(t, err)
				g.requireRunning(g.to, g.from)
			}
			running := 0
			for _, c := range machine.All() {
				if c.State == container.StateRunning {
					running++
				}
			}
			require.Equal(t, 1, running)
		})
	}
}
