package failover_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/workers/failover"
)

// registry says that these nodes are there.
type registry struct {
	ports.NodeRegistry
	nodes []node.Node
}

func (r *registry) Nodes(context.Context) ([]node.Node, error) { return r.nodes, nil }

// assigner writes down which node each game was given to, and answers with its error.
type assigner struct {
	given map[string]string
	err   error
}

func (a *assigner) Reschedule(_ context.Context, seen runtime.VersionedRecord, to node.Node, _ node.Fence) error {
	a.given[seen.Record.GameID] = to.Name
	return a.err
}

func present(region, name, engine string) node.Node {
	return node.Node{Region: region, Name: name, Engine: container.EngineKind(engine)}
}

// bench is a worker on a store in memory, whose clock is set by hand.
type bench struct {
	*failover.Worker
	t        *testing.T
	store    *memstore.Store
	clock    *clock
	registry *registry
	assigner *assigner
}

func newBench(t *testing.T, there ...node.Node) *bench {
	t.Helper()
	b := &bench{
		t: t, store: memstore.New(), clock: newClock(),
		registry: &registry{nodes: there}, assigner: &assigner{given: map[string]string{}},
	}
	b.Worker = failover.New(failover.Dependencies{
		Records: b.store, Intents: b.store, Nodes: b.registry, Rescheduler: b.assigner,
	}, failover.Config{Region: "eu", Node: "n1", Grace: time.Minute, Clock: b.clock.now, Logger: slog.New(slog.DiscardHandler)})
	return b
}

// runs puts a running game on a node, to be rescheduled when that is lost.
func (b *bench) runs(gameID, region, node string) {
	b.t.Helper()
	at := b.clock.now()
	require.NoError(b.t, b.store.Upsert(b.t.Context(), runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, Region: region, Node: node, CurrentContainerID: "c-" + gameID,
		CreatedAt: at, LastOpAt: at, StartedAt: &at,
	}))
	_, err := b.store.PutIntent(b.t.Context(), operation.Intent{GameID: gameID, Spec: operation.Spec{Image: "a:1", OnNodeLost: operation.NodeLostReschedule}}, ports.IntentVersion{})
	require.NoError(b.t, err)
}

// afterGrace makes a pass, and another one when the grace is over.
func (b *bench) afterGrace() error {
	err := b.Pass(b.t.Context(), node.Fence{})
	b.clock.pass(time.Minute)
	return errors.Join(err, b.Pass(b.t.Context(), node.Fence{}))
}

func TestLostGamesAreSpreadOverTheNodesThatCan(t *testing.T) {
	t.Parallel()
	b := newBench(t, present("eu", "busy", "process"), present("eu", "free", "process"), present("eu", "runs none", ""), present("us", "n9", "process"))
	for _, gameID := range []string{"b1", "b2"} {
		b.runs(gameID, "eu", "busy")
	}
	for _, gameID := range []string{"a", "b", "c", "d"} {
		b.runs(gameID, "eu", "gone")
	}
	b.runs("elsewhere", "us", "gone")
	b.runs("nowhere", "", "")
	require.NoError(t, b.afterGrace())
	count := map[string]int{}
	for _, node := range b.assigner.given {
		count[node]++
	}
	require.Equal(t, map[string]int{"busy": 1, "free": 3}, count, "games of other regions and of no node are not this leader's")
}

func TestNobodyToTakeALostGame(t *testing.T) {
	t.Parallel()
	b := newBench(t, present("eu", "runs none", ""), present("us", "gone", "process"))
	b.runs("g", "eu", "gone")
	require.NoError(t, b.afterGrace())
	require.Empty(t, b.assigner.given)
	require.Len(t, b.Findings(), 1)
	b.registry.nodes = append(b.registry.nodes, present("eu", "n5", "process"))
	require.NoError(t, b.Pass(t.Context(), node.Fence{}))
	require.Equal(t, map[string]string{"g": "n5"}, b.assigner.given)
}

// A game of which the store says that it has moved on holds nobody up.
func TestGameThatMovesOnByItself(t *testing.T) {
	t.Parallel()
	for _, err := range []error{runtime.ErrConflict, operation.ErrBusy} {
		b := newBench(t, present("eu", "n1", "process"))
		b.runs("a", "eu", "gone")
		b.runs("b", "eu", "gone")
		b.assigner.err = err
		require.NoError(t, b.afterGrace())
		require.Len(t, b.assigner.given, 2)
	}
}

func TestPassThatFailsOnOneGameGoesOnWithTheOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t, present("eu", "n1", "process"))
	b.runs("a", "eu", "gone")
	b.runs("b", "eu", "gone")
	b.assigner.err = runtime.ErrUnavailable
	require.ErrorIs(t, b.afterGrace(), runtime.ErrUnavailable)
	require.Len(t, b.assigner.given, 2)
}

// A node that could not start the game is not asked again before the others.
func TestLostGameGoesToNodesThatHaveNotFailedIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, present("eu", "broken", "process"), present("eu", "busy", "process"))
	b.runs("other", "eu", "busy")
	b.runs("g", "eu", "gone")
	require.NoError(t, b.afterGrace())
	require.Equal(t, "broken", b.assigner.given["g"], "it has fewer games")

	found, err := b.store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	failed := operation.Operation{Kind: operation.KindReschedule, Region: "eu", Node: "broken", Failure: &operation.Failure{Code: operation.FailureNoImage}}
	found.Intent.AddOutcome(failed.Outcome(b.clock.now()))
	_, err = b.store.PutIntent(t.Context(), found.Intent, found.IntentVersion)
	require.NoError(t, err)
	require.NoError(t, b.afterGrace())
	require.Equal(t, "busy", b.assigner.given["g"])
}

// A game that was halted, and that another node could not take, is not forgotten.
func TestHaltedGameIsGivenAwayUntilSomebodyCan(t *testing.T) {
	t.Parallel()
	b := newBench(t, present("eu", "broken", "process"), present("eu", "busy", "process"))
	b.runs("other", "eu", "busy")
	require.NoError(t, b.Pass(t.Context(), node.Fence{}), "the one that looks at all stopped games")
	at := b.clock.now()
	require.NoError(t, b.store.Upsert(t.Context(), runtime.RuntimeRecord{
		GameID: "g", Status: runtime.StatusStopped, Region: "eu", Node: "gone", CurrentContainerID: "c",
		CreatedAt: at, LastOpAt: at, StartedAt: &at, StoppedAt: &at,
	}))
	intent := operation.Intent{
		GameID: "g", Spec: operation.Spec{Image: "a:1", OnNodeLost: operation.NodeLostReschedule}, DesiredStatus: runtime.StatusRunning,
		Current: &operation.Operation{ID: "op", Kind: operation.KindRestart, Region: "eu", Node: "gone", Step: operation.StepStarting},
	}
	revision, err := b.store.PutIntent(t.Context(), intent, ports.IntentVersion{})
	require.NoError(t, err)
	require.NoError(t, b.afterGrace())
	require.Equal(t, "broken", b.assigner.given["g"], "it has fewer games")

	failed := operation.Operation{Kind: operation.KindReschedule, Region: "eu", Node: "broken", Failure: &operation.Failure{Code: operation.FailureNoImage}}
	intent.Current = nil
	intent.AddOutcome(failed.Outcome(b.clock.now()))
	_, err = b.store.PutIntent(t.Context(), intent, revision)
	require.NoError(t, err)
	require.NoError(t, b.afterGrace())
	require.Equal(t, "busy", b.assigner.given["g"])
	require.Len(t, b.Findings(), 1)
}

// What its node was about to stop does not run again because the node is lost.
func TestLostGameThatWasToStop(t *testing.T) {
	t.Parallel()
	b := newBench(t, present("eu", "n1", "process"))
	b.runs("g", "eu", "gone")
	found, err := b.store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	found.Intent.Current = &operation.Operation{ID: "op", Kind: operation.KindStop, Region: "eu", Node: "gone", Step: operation.StepAccepted}
	_, err = b.store.PutIntent(t.Context(), found.Intent, found.IntentVersion)
	require.NoError(t, err)
	require.NoError(t, b.afterGrace())
	require.Empty(t, b.assigner.given)
	require.Len(t, b.Findings(), 1)
	require.Equal(t, drift.ActionNone, b.Findings()[0].Action)
	require.Contains(t, b.Findings()[0].Evidence, "about to stop it")
}

// A record that moves between two passes is a new finding: the grace is for what
// was seen.
func TestGraceBeginsAnewWhenTheRecordMoves(t *testing.T) {
	t.Parallel()
	b := newBench(t, present("eu", "n1", "process"))
	b.runs("g", "eu", "gone")
	for range 3 {
		require.NoError(t, b.Pass(t.Context(), node.Fence{}))
		b.clock.pass(59 * time.Second)
		record, err := b.store.Get(t.Context(), "g")
		require.NoError(t, err)
		require.NoError(t, b.store.Upsert(t.Context(), record))
	}
	require.NoError(t, b.Pass(t.Context(), node.Fence{}))
	require.Empty(t, b.assigner.given)
}

// A game whose node goes in the middle of a restart is stopped by its record, and was
// to run. One that somebody stopped was not.
func TestGamesThatWereToRunAgain(t *testing.T) {
	t.Parallel()
	failed := operation.Outcome{Kind: operation.KindReschedule, Failure: &operation.Failure{Code: operation.FailureNoImage}}
	for name, story := range map[string]struct {
		intent operation.Intent
		moves  bool
	}{
		"restart": {operation.Intent{Current: &operation.Operation{Kind: operation.KindRestart}}, true},
		"patch of a running game": {operation.Intent{Current: &operation.Operation{
			Kind: operation.KindPatch, PreviousRecord: &runtime.RuntimeRecord{GameID: "g", Status: runtime.StatusRunning},
		}}, true},
		"patch of a stopped game": {operation.Intent{Current: &operation.Operation{
			Kind: operation.KindPatch, PreviousRecord: &runtime.RuntimeRecord{GameID: "g", Status: runtime.StatusStopped},
		}}, false},
		"reschedule to a node that is gone too": {operation.Intent{Current: &operation.Operation{Kind: operation.KindReschedule}}, true},
		"reschedule that has failed":            {operation.Intent{DesiredStatus: runtime.StatusRunning, Recent: []operation.Outcome{failed}}, true},
		"stopped since it has failed":           {operation.Intent{DesiredStatus: runtime.StatusStopped, Recent: []operation.Outcome{{Kind: operation.KindStop}, failed}}, false},
		"restart after a crash":                 {operation.Intent{Current: &operation.Operation{Kind: operation.KindStart, Automatic: true}}, true},
		"start":                                 {operation.Intent{Current: &operation.Operation{Kind: operation.KindStart}}, false},
		"stop":                                  {operation.Intent{Current: &operation.Operation{Kind: operation.KindStop}}, false},
		"crash":                                 {operation.Intent{DesiredStatus: runtime.StatusRunning}, false},
		"restart of a stopped game, rolled back": {operation.Intent{Current: &operation.Operation{
			Kind: operation.KindRestart, PreviousRecord: &runtime.RuntimeRecord{GameID: "g", Status: runtime.StatusStopped}, Failure: &operation.Failure{},
		}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, present("eu", "n1", "process"))
			at := b.clock.now()
			require.NoError(t, b.store.Upsert(t.Context(), runtime.RuntimeRecord{
				GameID: "g", Status: runtime.StatusStopped, Region: "eu", Node: "gone", CurrentContainerID: "c",
				CreatedAt: at, LastOpAt: at, StartedAt: &at, StoppedAt: &at,
			}))
			intent := story.intent
			intent.GameID, intent.Spec = "g", operation.Spec{Image: "a:1", OnNodeLost: operation.NodeLostReschedule}
			if op := intent.Current; op != nil {
				op.ID, op.Region, op.Node, op.Step = "op", "eu", "gone", operation.StepStarting
			}
			_, err := b.store.PutIntent(t.Context(), intent, ports.IntentVersion{})
			require.NoError(t, err)
			require.NoError(t, b.afterGrace())
			require.Equal(t, story.moves, len(b.assigner.given) == 1, "given away: %v", b.assigner.given)
		})
	}
}
