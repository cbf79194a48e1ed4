package failover_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/workers/failover"
)

// registry has the nodes that the test sets.
type registry struct {
	ports.NodeRegistry
	nodes  []node.Node
	absent []node.Absent
}

func (r *registry) Overview(context.Context) (node.Overview, error) {
	return node.Overview{Present: r.nodes, Absent: r.absent}, nil
}

func (r *registry) SetLost(_ context.Context, ref node.Ref, at time.Time) error {
	for i := range r.absent {
		if r.absent[i].Ref() == ref {
			r.absent[i].LostAt = at
		}
	}
	return nil
}

// rescheduler records the new node of each game, and returns err.
type rescheduler struct {
	mu       sync.Mutex
	assigned map[string]string // node by game
	latest   map[string]operation.Assignment
	err      error
}

func (r *rescheduler) Reschedule(_ context.Context, seen runtime.VersionedRecord, assignment operation.Assignment, _ node.Fence) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.assigned[seen.Record.GameID], r.latest[seen.Record.GameID] = assignment.To.Name, assignment
	return r.err
}

func present(region, name string, engine container.EngineKind) node.Node {
	return node.Node{Region: region, Name: name, Engine: engine}
}

// fixture is a worker on a store in memory, with a fake clock.
type fixture struct {
	*failover.Worker
	t           *testing.T
	store       *memstore.Store
	clock       *fakeClock
	registry    *registry
	rescheduler *rescheduler
	scheduler   *placement.Scheduler
}

func newFixture(t *testing.T, nodes ...node.Node) *fixture {
	t.Helper()
	f := &fixture{
		t: t, store: memstore.New(), clock: newFakeClock(),
		registry: &registry{nodes: nodes}, rescheduler: &rescheduler{assigned: map[string]string{}, latest: map[string]operation.Assignment{}},
	}
	f.scheduler = placement.NewScheduler(placement.Dependencies{Records: f.store})
	f.Worker = failover.New(failover.Dependencies{
		Records: f.store, Conditions: f.store, Intents: f.store, Nodes: f.registry, Rescheduler: f.rescheduler, Placement: f.scheduler,
	}, failover.Config{Region: "eu", Node: "n1", Grace: time.Minute, Clock: f.clock.now})
	return f
}

// putRunning writes a running game on a node, with the policy to reschedule it.
func (f *fixture) putRunning(gameID, region, node string) {
	f.t.Helper()
	at := f.clock.now()
	require.NoError(f.t, f.store.Upsert(f.t.Context(), runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, Region: region, Node: node, CurrentContainerID: "c-" + gameID,
		CreatedAt: at, LastOpAt: at, StartedAt: &at,
	}))
	_, err := f.store.PutIntent(f.t.Context(), operation.Intent{GameID: gameID, Spec: operation.Spec{Image: "a:1", OnNodeLost: operation.NodeLostReschedule}}, ports.IntentVersion{})
	require.NoError(f.t, err)
}

// record returns the record of the game.
func (f *fixture) record(gameID string) runtime.RuntimeRecord {
	f.t.Helper()
	record, err := f.store.Get(f.t.Context(), gameID)
	require.NoError(f.t, err)
	return record
}

// passTwice makes a pass, and another one after the grace period.
func (f *fixture) passTwice() error {
	fence := node.Fence{Key: "/leaders/eu", CreateRevision: 7}
	f.store.SetFence(fence.Key, fence.CreateRevision)
	err := f.Pass(f.t.Context(), fence)
	f.clock.advance(time.Minute)
	return errors.Join(err, f.Pass(f.t.Context(), fence))
}

// endOperation ends the reservation of the game, as its node does with the operation.
func (f *fixture) endOperation(gameID string) {
	f.t.Helper()
	latest := f.rescheduler.latest[gameID]
	require.True(f.t, latest.IsReserved)
	require.NoError(f.t, f.scheduler.Release(f.t.Context(), latest.To, gameID, latest.OperationID))
}

func TestLostGamesAreSpreadOverNodesWithAnEngine(t *testing.T) {
	t.Parallel()
	f := newFixture(t, present("eu", "busy", "process"), present("eu", "free", "process"), present("eu", "no engine", ""), present("us", "n9", "process"))
	for _, gameID := range []string{"b1", "b2"} {
		f.putRunning(gameID, "eu", "busy")
	}
	for _, gameID := range []string{"a", "b", "c", "d"} {
		f.putRunning(gameID, "eu", "absent")
	}
	f.putRunning("in us", "us", "absent")
	f.putRunning("no node", "", "")
	require.NoError(t, f.passTwice())
	count := map[string]int{}
	for _, node := range f.rescheduler.assigned {
		count[node]++
	}
	require.Equal(t, map[string]int{"busy": 1, "free": 3}, count, "games of other regions and without a node are not rescheduled")
}

func TestNoNodeForALostGame(t *testing.T) {
	t.Parallel()
	f := newFixture(t, present("eu", "no engine", ""), present("us", "absent", "process"))
	f.putRunning("g", "eu", "absent")
	require.NoError(t, f.passTwice())
	require.Empty(t, f.rescheduler.assigned)
	require.Len(t, f.Findings(), 1)
	f.registry.nodes = append(f.registry.nodes, present("eu", "n5", "process"))
	require.NoError(t, f.Pass(t.Context(), node.Fence{}))
	require.Equal(t, map[string]string{"g": "n5"}, f.rescheduler.assigned)
}

// A game that has changed since the pass read it does not delay the others.
func TestGameThatHasChanged(t *testing.T) {
	t.Parallel()
	for _, err := range []error{runtime.ErrConflict, operation.ErrBusy} {
		f := newFixture(t, present("eu", "n1", "process"))
		f.putRunning("a", "eu", "absent")
		f.putRunning("b", "eu", "absent")
		f.rescheduler.err = err
		require.NoError(t, f.passTwice())
		require.Len(t, f.rescheduler.assigned, 2)
	}
}

func TestPassContinuesAfterAnError(t *testing.T) {
	t.Parallel()
	f := newFixture(t, present("eu", "n1", "process"))
	f.putRunning("a", "eu", "absent")
	f.putRunning("b", "eu", "absent")
	f.rescheduler.err = runtime.ErrUnavailable
	require.ErrorIs(t, f.passTwice(), runtime.ErrUnavailable)
	require.Len(t, f.rescheduler.assigned, 2)
}

// A node that failed to start the game is selected after the other nodes.
func TestNodeThatFailedIsSelectedLast(t *testing.T) {
	t.Parallel()
	f := newFixture(t, present("eu", "broken", "process"), present("eu", "busy", "process"))
	f.putRunning("other", "eu", "busy")
	f.putRunning("g", "eu", "absent")
	require.NoError(t, f.passTwice())
	require.Equal(t, "broken", f.rescheduler.assigned["g"], "it has fewer games")
	f.endOperation("g")

	found, err := f.store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	failed := operation.Operation{Kind: operation.KindReschedule, Region: "eu", Node: "broken", Failure: &operation.Failure{Code: operation.FailureNoImage}}
	found.Intent.AddOutcome(failed.Outcome(f.clock.now()))
	_, err = f.store.PutIntent(t.Context(), found.Intent, found.IntentVersion)
	require.NoError(t, err)
	require.NoError(t, f.passTwice())
	require.Equal(t, "busy", f.rescheduler.assigned["g"])
}

// An interrupted game that another node could not start is rescheduled once more.
func TestInterruptedGameIsRescheduledUntilItStarts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, present("eu", "broken", "process"), present("eu", "busy", "process"))
	f.putRunning("other", "eu", "busy")
	require.NoError(t, f.Pass(t.Context(), node.Fence{}), "the first pass, which reads all stopped games")
	at := f.clock.now()
	require.NoError(t, f.store.Upsert(t.Context(), runtime.RuntimeRecord{
		GameID: "g", Status: runtime.StatusStopped, Region: "eu", Node: "absent", CurrentContainerID: "c",
		CreatedAt: at, LastOpAt: at, StartedAt: &at, StoppedAt: &at,
	}))
	intent := operation.Intent{
		GameID: "g", Spec: operation.Spec{Image: "a:1", OnNodeLost: operation.NodeLostReschedule}, DesiredStatus: runtime.StatusRunning,
		Current: &operation.Operation{ID: "op", Kind: operation.KindRestart, Region: "eu", Node: "absent", Step: operation.StepStarting},
	}
	revision, err := f.store.PutIntent(t.Context(), intent, ports.IntentVersion{})
	require.NoError(t, err)
	require.NoError(t, f.passTwice())
	require.Equal(t, "broken", f.rescheduler.assigned["g"], "it has fewer games")
	f.endOperation("g")

	failed := operation.Operation{Kind: operation.KindReschedule, Region: "eu", Node: "broken", Failure: &operation.Failure{Code: operation.FailureNoImage}}
	intent.Current = nil
	intent.AddOutcome(failed.Outcome(f.clock.now()))
	_, err = f.store.PutIntent(t.Context(), intent, revision)
	require.NoError(t, err)
	require.NoError(t, f.passTwice())
	require.Equal(t, "busy", f.rescheduler.assigned["g"])
	require.Len(t, f.Findings(), 1)
}

// A lost game stays lost while no node has space for it.
func TestLostGameWaitsForSpace(t *testing.T) {
	t.Parallel()
	full := present("eu", "n1", "process")
	full.Capacity.Games = 1
	f := newFixture(t, full)
	f.putRunning("other", "eu", "n1")
	f.putRunning("g", "eu", "absent")
	require.NoError(t, f.passTwice())
	require.Empty(t, f.rescheduler.assigned)
	require.Len(t, f.Findings(), 1)
	f.registry.nodes[0].Capacity.Games = 2
	require.NoError(t, f.Pass(t.Context(), node.Fence{}))
	require.Equal(t, map[string]string{"g": "n1"}, f.rescheduler.assigned)
}

// A game whose node was about to stop it is not rescheduled.
func TestLostGameWithAStopInProgress(t *testing.T) {
	t.Parallel()
	f := newFixture(t, present("eu", "n1", "process"))
	f.putRunning("g", "eu", "absent")
	found, err := f.store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	found.Intent.Current = &operation.Operation{ID: "op", Kind: operation.KindStop, Region: "eu", Node: "absent", Step: operation.StepAccepted}
	_, err = f.store.PutIntent(t.Context(), found.Intent, found.IntentVersion)
	require.NoError(t, err)
	require.NoError(t, f.passTwice())
	require.Empty(t, f.rescheduler.assigned)
	require.Len(t, f.Findings(), 1)
	require.Equal(t, drift.ActionNone, f.Findings()[0].Action)
	require.Contains(t, f.Findings()[0].Evidence, "a stop of the game was in progress")
}

// A game that changes between two passes is a new finding, with a new grace period.
func TestGraceRestartsWhenTheRecordChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t, present("eu", "n1", "process"))
	f.putRunning("g", "eu", "absent")
	for range 3 {
		require.NoError(t, f.Pass(t.Context(), node.Fence{}))
		f.clock.advance(59 * time.Second)
		record := f.record("g")
		record.LastOpAt = f.clock.now()
		require.NoError(t, f.store.Upsert(t.Context(), record))
	}
	require.NoError(t, f.Pass(t.Context(), node.Fence{}))
	require.Empty(t, f.rescheduler.assigned)
}

// A client that changes labels all the time does not keep a lost game from its reschedule.
func TestLabelsDoNotRestartTheGrace(t *testing.T) {
	t.Parallel()
	f := newFixture(t, present("eu", "n1", "process"))
	f.putRunning("g", "eu", "absent")
	for _, players := range []string{"7", "8", "9"} {
		require.NoError(t, f.Pass(t.Context(), node.Fence{}))
		f.clock.advance(29 * time.Second)
		record := f.record("g")
		record.Labels = map[string]string{"players": players}
		require.NoError(t, f.store.Upsert(t.Context(), record))
	}
	require.NoError(t, f.Pass(t.Context(), node.Fence{}))
	require.Equal(t, map[string]string{"g": "n1"}, f.rescheduler.assigned)
}

// A game whose node is lost during a restart has a stopped record, and is rescheduled. A
// game that a user stopped is not.
func TestInterruptedGamesAreRescheduled(t *testing.T) {
	t.Parallel()
	failed := operation.Outcome{Kind: operation.KindReschedule, Failure: &operation.Failure{Code: operation.FailureNoImage}}
	for name, tt := range map[string]struct {
		intent      operation.Intent
		reschedules bool
	}{
		"restart": {operation.Intent{Current: &operation.Operation{Kind: operation.KindRestart}}, true},
		"patch of a running game": {operation.Intent{Current: &operation.Operation{
			Kind: operation.KindPatch, PreviousRecord: &runtime.RuntimeRecord{GameID: "g", Status: runtime.StatusRunning},
		}}, true},
		"patch of a stopped game": {operation.Intent{Current: &operation.Operation{
			Kind: operation.KindPatch, PreviousRecord: &runtime.RuntimeRecord{GameID: "g", Status: runtime.StatusStopped},
		}}, false},
		"reschedule to a node that is lost too": {operation.Intent{Current: &operation.Operation{Kind: operation.KindReschedule}}, true},
		"failed reschedule":                     {operation.Intent{DesiredStatus: runtime.StatusRunning, Recent: []operation.Outcome{failed}}, true},
		"stopped after a failed reschedule":     {operation.Intent{DesiredStatus: runtime.StatusStopped, Recent: []operation.Outcome{{Kind: operation.KindStop}, failed}}, false},
		"restart after a crash":                 {operation.Intent{Current: &operation.Operation{Kind: operation.KindStart, Automatic: true}}, true},
		"start":                                 {operation.Intent{Current: &operation.Operation{Kind: operation.KindStart}}, true},
		"stop":                                  {operation.Intent{Current: &operation.Operation{Kind: operation.KindStop}}, false},
		"crash":                                 {operation.Intent{DesiredStatus: runtime.StatusRunning}, false},
		"restart of a stopped game, rolled back": {operation.Intent{Current: &operation.Operation{
			Kind: operation.KindRestart, PreviousRecord: &runtime.RuntimeRecord{GameID: "g", Status: runtime.StatusStopped}, Failure: &operation.Failure{},
		}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, present("eu", "n1", "process"))
			at := f.clock.now()
			require.NoError(t, f.store.Upsert(t.Context(), runtime.RuntimeRecord{
				GameID: "g", Status: runtime.StatusStopped, Region: "eu", Node: "absent", CurrentContainerID: "c",
				CreatedAt: at, LastOpAt: at, StartedAt: &at, StoppedAt: &at,
			}))
			intent := tt.intent
			intent.GameID, intent.Spec = "g", operation.Spec{Image: "a:1", OnNodeLost: operation.NodeLostReschedule}
			if op := intent.Current; op != nil {
				op.ID, op.Region, op.Node, op.Step = "op", "eu", "absent", operation.StepStarting
			}
			_, err := f.store.PutIntent(t.Context(), intent, ports.IntentVersion{})
			require.NoError(t, err)
			require.NoError(t, f.passTwice())
			require.Equal(t, tt.reschedules, len(f.rescheduler.assigned) == 1, "assigned: %v", f.rescheduler.assigned)
		})
	}
}

// A game whose node is lost during its first start has no record yet, or one and no spec of
// its own. The policy of the operation decides.
func TestFirstStartIsRescheduled(t *testing.T) {
	t.Parallel()
	for _, policy := range []operation.NodeLostPolicy{operation.NodeLostReschedule, operation.NodeLostKeep} {
		for _, hasRecord := range []bool{false, true} {
			f := newFixture(t, present("eu", "n1", "process"))
			_, err := f.store.PutIntent(t.Context(), operation.Intent{GameID: "g", Current: &operation.Operation{
				ID: "op", Kind: operation.KindStart, Region: "eu", Node: "absent", Step: operation.StepAwaitingHealth, ContainerID: "c-g",
				Spec: operation.Spec{Image: "a:1", OnNodeLost: policy},
			}}, ports.IntentVersion{})
			require.NoError(t, err)
			if hasRecord {
				at := f.clock.now()
				require.NoError(t, f.store.Upsert(t.Context(), runtime.RuntimeRecord{
					GameID: "g", Status: runtime.StatusRunning, Region: "eu", Node: "absent", CurrentContainerID: "c-g", CreatedAt: at, LastOpAt: at, StartedAt: &at,
				}))
			}
			require.NoError(t, f.passTwice())
			require.Len(t, f.Findings(), 1)
			require.Equal(t, policy == operation.NodeLostReschedule, f.rescheduler.assigned["g"] == "n1", "policy %s, record %v", policy, hasRecord)
		}
	}
}

// countingIntents counts the requests for intents.
type countingIntents struct {
	ports.IntentStore
	single, batches, games int
}

func (c *countingIntents) GetIntent(ctx context.Context, gameID string) (ports.VersionedIntent, error) {
	c.single++
	return c.IntentStore.GetIntent(ctx, gameID)
}

func (c *countingIntents) GetIntents(ctx context.Context, gameIDs []string) ([]ports.VersionedIntent, error) {
	if len(gameIDs) > 0 {
		c.batches++
		c.games += len(gameIDs)
	}
	return c.IntentStore.GetIntents(ctx, gameIDs)
}

// A pass reads all intents at once. Those of games that stay lost are read once a minute.
func TestIntentsOfLostGamesAreReadRarely(t *testing.T) {
	t.Parallel()
	f := newFixture(t, present("eu", "no engine", ""))
	intents := &countingIntents{IntentStore: f.store}
	f.Worker = failover.New(failover.Dependencies{
		Records: f.store, Conditions: f.store, Intents: intents, Nodes: f.registry, Rescheduler: f.rescheduler,
		Placement: f.scheduler,
	}, failover.Config{Region: "eu", Node: "n1", Grace: time.Minute, Clock: f.clock.now})
	for i := range 100 {
		f.putRunning(fmt.Sprintf("g%d", i), "eu", "absent")
	}
	require.NoError(t, f.Pass(t.Context(), node.Fence{}))
	require.Equal(t, 1, intents.batches)
	for range 720 { // an hour
		f.clock.advance(5 * time.Second)
		require.NoError(t, f.Pass(t.Context(), node.Fence{}))
	}
	require.Zero(t, intents.single)
	require.LessOrEqual(t, intents.batches, 66)
	require.Len(t, f.Findings(), 100)
}

// A node that is present under another name, from the same data directory, keeps its games.
func TestRenamedNodeIsNotLost(t *testing.T) {
	t.Parallel()
	renamed := present("eu", "new", "process")
	renamed.Identity = "same"
	f := newFixture(t, renamed)
	old := present("eu", "old", "process")
	old.Identity = "same"
	f.registry.absent = []node.Absent{{Node: old}}
	f.putRunning("g", "eu", "old")
	require.NoError(t, f.passTwice())
	require.Empty(t, f.rescheduler.assigned)
	require.Nil(t, f.record("g").NodeLostAt)

	f.registry.nodes[0].Identity = "other"
	require.NoError(t, f.passTwice())
	require.Equal(t, map[string]string{"g": "new"}, f.rescheduler.assigned)
	require.NotNil(t, f.record("g").NodeLostAt)
}

// The leader stores once when it detected the loss of a node, and not of one that stopped.
func TestLossOfANodeIsStored(t *testing.T) {
	t.Parallel()
	f := newFixture(t, present("eu", "n1", "process"))
	f.registry.absent = []node.Absent{{Node: present("eu", "lost", "")}, {Node: present("eu", "stopped", ""), StoppedAt: f.clock.now()}}
	detected := f.clock.now()
	require.NoError(t, f.passTwice())
	require.Equal(t, detected, f.registry.absent[0].LostAt)
	require.Zero(t, f.registry.absent[1].LostAt)
}

// The records of running and stopped games state since when their node is lost. The games of a
// node that was stopped as planned run on: it counts after its own grace period, which the leader measures. A
// node that never joined is not lost.
func TestRecordsOfLostGamesStateTheLoss(t *testing.T) {
	t.Parallel()
	f := newFixture(t, present("eu", "n1", ""))
	stopped := f.clock.now().Add(-24 * time.Hour) // by another clock
	f.registry.absent = []node.Absent{
		{Node: present("eu", "lost", "")}, {Node: present("eu", "stopped", ""), StoppedAt: stopped}, {Node: present("us", "lost", "")},
	}
	detected := f.clock.now()
	for gameID, node := range map[string]string{"on lost": "lost", "on stopped": "stopped", "on present": "n1", "on unknown": "unknown", "idle": "lost"} {
		f.putRunning(gameID, "eu", node)
	}
	f.putRunning("of another region", "us", "lost")
	require.NoError(t, f.store.UpdateStatus(t.Context(), ports.UpdateStatusInput{
		GameID: "idle", ExpectedFrom: runtime.StatusRunning, To: runtime.StatusStopped, Now: detected,
	}))
	require.NoError(t, f.passTwice())
	lostAt := func(gameID string) *time.Time { return f.record(gameID).NodeLostAt }
	require.Equal(t, &detected, lostAt("on lost"))
	require.Equal(t, &detected, lostAt("idle"))
	require.Nil(t, lostAt("on stopped"), "its games run on")
	for _, gameID := range []string{"on present", "on unknown", "of another region"} {
		require.Nil(t, lostAt(gameID), gameID)
	}
	revision, err := f.store.GetVersioned(t.Context(), "on lost")
	require.NoError(t, err)
	require.NoError(t, f.passTwice())
	after, err := f.store.GetVersioned(t.Context(), "on lost")
	require.NoError(t, err)
	require.Equal(t, revision, after, "the loss is written once")

	f.clock.advance(10 * time.Minute)
	require.NoError(t, f.passTwice())
	require.Equal(t, &stopped, lostAt("on stopped"), "since the planned stop")
}
