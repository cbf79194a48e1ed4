package rollout_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdrollouts"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/rollouts"
	"galaxy/rtmanager/internal/testkit/nodetest"
	worker "galaxy/rtmanager/internal/workers/rollout"
)

func TestMain(m *testing.M) { os.Exit(nodetest.Main(m)) }

const (
	first  = "gameserver:1.0.0"
	second = "gameserver:1.0.1"
)

// patchFunc is a Patcher.
type patchFunc func(ctx context.Context, request ports.OperationRequest) (operation.Outcome, error)

func (f patchFunc) Patch(ctx context.Context, request ports.OperationRequest) (operation.Outcome, error) {
	request.Kind = operation.KindPatch
	return f(ctx, request)
}

// fixture is a store with games that one node runs.
type fixture struct {
	*rollouts.Service

	t     *testing.T
	games *nodetest.Node
	ids   []string
	// authorize checks the rights of the user; nil allows everything.
	authorize func(ctx context.Context, by rollout.Actor, region, gameID string) (context.Context, error)
	// patches counts the patches that reached the node, by game.
	patches sync.Map
}

// newFixture starts count games on a node.
func newFixture(t *testing.T, count int) *fixture {
	t.Helper()
	f := &fixture{t: t, games: nodetest.New(t, nodetest.Config{LeaseTTL: time.Minute})}
	f.games.Run()
	f.Service = rollouts.New(rollouts.Dependencies{Store: f.store(f.games), Records: f.games.Store}, rollouts.Config{})
	for i := range count {
		f.ids = append(f.ids, fmt.Sprintf("g%d", i))
		f.games.MustExecute(nodetest.StartOp(f.ids[i], nodetest.GameSpec("1.0.0")))
	}
	return f
}

func (f *fixture) store(n *nodetest.Node) *etcdrollouts.Store {
	return etcdrollouts.New(n.Config.Client, etcdrollouts.Options{Prefix: n.Config.Prefix})
}

// patch patches a game on its node.
func (f *fixture) patch(ctx context.Context, request ports.OperationRequest) (operation.Outcome, error) {
	count, _ := f.patches.LoadOrStore(request.GameID, &atomic.Int64{})
	count.(*atomic.Int64).Add(1)
	return f.games.Service.Execute(ctx, request, nil)
}

// lead runs the worker of a node until the test or stop ends it.
func (f *fixture) lead(n *nodetest.Node, patch patchFunc) (stop func()) {
	w := worker.New(worker.Dependencies{Store: f.store(n), Election: n.Member, Records: n.Store, Patcher: patch, Authorize: f.authorize}, worker.Config{
		Interval: 20 * time.Millisecond, RetryInterval: 50 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = w.Run(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	f.t.Cleanup(stop)
	return stop
}

// start starts a rollout of all games.
func (f *fixture) start(spec rollout.Spec) string {
	f.t.Helper()
	started, err := f.Start(f.t.Context(), ports.RolloutRequest{Spec: spec, By: rollout.Actor{Name: "ada"}})
	require.NoError(f.t, err)
	return started.ID
}

func (f *fixture) change(id string, action rollout.Action) {
	f.t.Helper()
	_, err := f.Change(f.t.Context(), id, rollout.Request{Action: action, By: rollout.Actor{Name: "ada"}})
	require.NoError(f.t, err)
}

// await waits until the rollout is in the state and changes no game, and returns it.
func (f *fixture) await(id string, state rollout.State) (found rollout.Rollout, games []rollout.Game) {
	f.t.Helper()
	require.EventuallyWithT(f.t, func(c *assert.CollectT) {
		var err error
		found, games, err = f.Get(f.t.Context(), id)
		require.NoError(c, err)
		require.Equal(c, state, found.State, "%+v", games)
		require.Zero(c, found.Counts.InProgress)
	}, nodetest.Timeout, 20*time.Millisecond)
	require.Equal(f.t, rollout.Count(games), found.Counts)
	return found, games
}

// requireImages requires that each game runs the image, and has had as many containers as generations, 0 for
// any number.
func (f *fixture) requireImages(image string, generations int64) {
	f.t.Helper()
	for _, id := range f.ids {
		record := f.games.Record(id)
		require.Equal(f.t, []any{id, runtime.StatusRunning, image}, []any{id, record.Status, record.CurrentImageRef})
		if generations > 0 {
			require.Equal(f.t, generations, record.Generation, id)
		}
		require.Len(f.t, f.games.Containers(id), 1)
	}
}

// A leader is lost while a patch is in progress whose response it never gets. The next leader gets the outcome
// of that patch and changes the other games: each game is patched once.
func TestNextLeaderContinues(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 5)
	leader := nodetest.New(t, nodetest.Config{Prefix: f.games.Config.Prefix, Region: "eu", Name: "n2", LeaseTTL: time.Second})
	isLost := make(chan struct{})
	var calls atomic.Int64
	stop := f.lead(leader, func(ctx context.Context, request ports.OperationRequest) (operation.Outcome, error) {
		outcome, err := f.patch(context.WithoutCancel(ctx), request)
		if calls.Add(1) == 3 {
			close(isLost)
			<-ctx.Done() // the response is lost
			return operation.Outcome{}, ctx.Err()
		}
		return outcome, err
	})
	id := f.start(rollout.Spec{Image: second, MaxParallel: 1})
	<-isLost
	leader.Crash()
	stop()
	_, games, err := f.Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, 1, rollout.Count(games).InProgress)

	f.lead(f.games, f.patch)
	_, games = f.await(id, rollout.StateCompleted)
	for _, game := range games {
		require.Equal(t, rollout.GameUpdated, game.State)
		require.Equal(t, first, game.PreviousImage)
	}
	f.requireImages(second, 2)
	history, err := f.games.Store.History(t.Context(), f.ids[0])
	require.NoError(t, err)
	require.Equal(t, "ada", history[0].Actor)
}

// A game that fails gets its previous container back and pauses the rollout. An undo restores nothing else,
// since no other game was changed.
func TestFailurePauses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 3)
	f.lead(f.games, f.patch)
	id := f.start(rollout.Spec{Image: "broken:1.0.1", Force: true, MaxParallel: 1, PauseOnFailure: true})
	paused, games := f.await(id, rollout.StatePaused)
	require.Contains(t, paused.Message, "game g0 failed: container failed to start")
	require.Equal(t, rollout.Counts{Total: 3, Failed: 1, Pending: 2}, paused.Counts)
	require.Contains(t, games[0].Message, "cannot start")
	f.requireImages(first, 0)

	// A resume retries the game, and pauses once more.
	f.change(id, rollout.ActionResume)
	require.Eventually(t, func() bool {
		found, games, err := f.Get(t.Context(), id)
		return err == nil && found.State == rollout.StatePaused && games[0].Attempt == 2
	}, nodetest.Timeout, 20*time.Millisecond)

	f.change(id, rollout.ActionUndo)
	undone, _ := f.await(id, rollout.StateUndone)
	require.Equal(t, rollout.Counts{Total: 3, Reverted: 1, Pending: 2}, undone.Counts)
	f.requireImages(first, 0)
}

// An undo of a rollout that is paused in the middle restores the image of each changed game. Games that were
// stopped or have another image by then are skipped.
func TestUndo(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 4)
	release := make(chan struct{})
	f.lead(f.games, func(ctx context.Context, request ports.OperationRequest) (operation.Outcome, error) {
		if request.GameID == "g2" && request.Image == second {
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return f.patch(ctx, request)
	})
	id := f.start(rollout.Spec{Image: second, MaxParallel: 1})
	require.Eventually(t, func() bool {
		_, games, err := f.Get(t.Context(), id)
		return err == nil && games[2].State == rollout.GameUpdating
	}, nodetest.Timeout, 10*time.Millisecond)
	f.change(id, rollout.ActionPause)
	close(release)
	paused, _ := f.await(id, rollout.StatePaused)
	require.Equal(t, rollout.Counts{Total: 4, Updated: 3, Pending: 1}, paused.Counts, "the change in progress is completed")

	f.games.MustExecute(ports.OperationRequest{GameID: "g1", Kind: operation.KindPatch, Image: "gameserver:2.0.0", Force: true})
	f.change(id, rollout.ActionUndo)
	undone, games := f.await(id, rollout.StateUndone)
	require.Equal(t, rollout.Counts{Total: 4, Reverted: 2, Skipped: 1, Pending: 1}, undone.Counts)
	require.Equal(t, "the game has image gameserver:2.0.0, which this rollout has not set", games[1].Message)
	require.Equal(t, first, f.games.Record("g0").CurrentImageRef)
	require.Equal(t, first, f.games.Record("g2").CurrentImageRef)
	require.NoError(t, f.Delete(t.Context(), id, rollout.Actor{}))
	resp, err := f.games.Config.Client.Get(t.Context(), f.games.Config.Prefix+"/rollout", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Zero(t, resp.Count)
}

// Users pause and resume a rollout at the same time. No game is lost, and none is patched twice.
func TestConcurrentPauseAndResume(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 6)
	f.lead(f.games, f.patch)
	id := f.start(rollout.Spec{Image: second, MaxParallel: 2})
	var users sync.WaitGroup
	for _, action := range []rollout.Action{rollout.ActionPause, rollout.ActionResume, rollout.ActionPause, rollout.ActionResume} {
		users.Go(func() {
			for range 10 {
				if _, err := f.Change(t.Context(), id, rollout.Request{Action: action}); err != nil {
					assert.ErrorIs(t, err, rollout.ErrState) // it has completed
				}
			}
		})
	}
	users.Wait()
	if _, err := f.Change(t.Context(), id, rollout.Request{Action: rollout.ActionResume}); err != nil {
		require.ErrorIs(t, err, rollout.ErrState)
	}
	completed, _ := f.await(id, rollout.StateCompleted)
	require.Equal(t, rollout.Counts{Total: 6, Updated: 6}, completed.Counts)
	f.requireImages(second, 2)
}

// A game that is not ready blocks the others with max_unavailable, and games that were stopped are skipped.
func TestMaxUnavailable(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 3)
	nodetest.PostToGame(t, f.games.Record("g2").EngineEndpoint, "/hang")
	require.Eventually(t, func() bool { return f.games.Record("g2").Health == runtime.HealthUnhealthy }, nodetest.Timeout, 20*time.Millisecond)
	f.games.MustExecute(nodetest.Op(operation.KindStop, "g1"))
	f.lead(f.games, f.patch)
	started, err := f.Start(t.Context(), ports.RolloutRequest{Spec: rollout.Spec{Image: second, MaxParallel: 3, MaxUnavailable: 1}})
	require.NoError(t, err)
	require.Equal(t, 2, started.Counts.Total, "a stopped game is not selected")
	// The game that is not ready may be changed: that makes no further game unavailable.
	_, games := f.await(started.ID, rollout.StateCompleted)
	require.Equal(t, "g2", games[1].GameID)
	require.True(t, games[1].ChangedAt.Before(games[0].ChangedAt), "%+v", games)
}

// Games that are stopped or deleted after their change do not block the others.
func TestEndedGamesDoNotBlock(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 4)
	var calls atomic.Int64
	f.lead(f.games, func(ctx context.Context, request ports.OperationRequest) (operation.Outcome, error) {
		outcome, err := f.patch(ctx, request)
		switch calls.Add(1) {
		case 1:
			f.games.MustExecute(nodetest.Op(operation.KindStop, request.GameID))
		case 2:
			f.games.MustExecute(nodetest.Op(operation.KindStop, request.GameID))
			f.games.MustExecute(nodetest.Op(operation.KindCleanup, request.GameID))
			assert.NoError(t, f.games.Store.Delete(ctx, ports.DeleteInput{GameID: request.GameID}))
		}
		return outcome, err
	})
	id := f.start(rollout.Spec{Image: second, MaxParallel: 1, MaxUnavailable: 1})
	completed, _ := f.await(id, rollout.StateCompleted)
	require.Equal(t, rollout.Counts{Total: 4, Updated: 4}, completed.Counts)
}

// A game that is deleted and started as another one of the same id is not part of the rollout, neither for the
// change nor for the undo.
func TestOtherGamesOfTheSameIDAreSkipped(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 2)
	replace := func(id, version string) {
		f.games.MustExecute(nodetest.Op(operation.KindStop, id))
		f.games.MustExecute(nodetest.Op(operation.KindCleanup, id))
		require.NoError(t, f.games.Store.Delete(t.Context(), ports.DeleteInput{GameID: id}))
		f.games.MustExecute(nodetest.StartOp(id, nodetest.GameSpec(version)))
	}
	id := f.start(rollout.Spec{Image: second, MaxParallel: 1})
	replace("g0", "1.0.0")
	f.lead(f.games, f.patch)
	completed, games := f.await(id, rollout.StateCompleted)
	require.Equal(t, rollout.Counts{Total: 2, Updated: 1, Skipped: 1}, completed.Counts)
	require.Equal(t, "the game was deleted", games[0].Message)
	replace("g1", "1.0.1")
	f.change(id, rollout.ActionUndo)
	undone, _ := f.await(id, rollout.StateUndone)
	require.Equal(t, rollout.Counts{Total: 2, Skipped: 2}, undone.Counts)
	require.Equal(t, second, f.games.Record("g1").CurrentImageRef)
}

// A user patches games between the begin of their patches and the patches. An undo leaves the image of the user, and
// an update records it as the previous one.
func TestPatchesOfUsersInBetween(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 1)
	const other = "gameserver:2.0.0"
	var calls atomic.Int64
	f.lead(f.games, func(ctx context.Context, request ports.OperationRequest) (operation.Outcome, error) {
		if images := map[int64]string{1: other, 3: first}; images[calls.Add(1)] != "" {
			f.games.MustExecute(ports.OperationRequest{GameID: "g0", Kind: operation.KindPatch, Image: images[calls.Load()], Force: true})
			return operation.Outcome{}, operation.ErrBusy // of the patch of the user
		}
		return f.patch(ctx, request)
	})
	id := f.start(rollout.Spec{Image: second, Force: true, MaxParallel: 1})
	_, games := f.await(id, rollout.StateCompleted)
	require.Equal(t, other, games[0].PreviousImage)
	require.Equal(t, second, f.games.Record("g0").CurrentImageRef)
	f.change(id, rollout.ActionUndo)
	undone, games := f.await(id, rollout.StateUndone)
	require.Equal(t, rollout.Counts{Total: 1, Skipped: 1}, undone.Counts, "%+v", games)
}

// A game is part of one rollout that has not ended, also if several are started at the same time or one that
// has ended is continued.
func TestRolloutsDoNotOverlap(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 2)
	var users sync.WaitGroup
	var started atomic.Int64
	for range 8 {
		users.Go(func() {
			_, err := f.Start(t.Context(), ports.RolloutRequest{Spec: rollout.Spec{Image: second, MaxParallel: 1}})
			if err == nil {
				started.Add(1)
				return
			}
			assert.ErrorIs(t, err, rollout.ErrOverlap)
		})
	}
	users.Wait()
	found, err := f.List(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, started.Load(), int64(1))
	require.Len(t, found, int(started.Load()), "the others are deleted")
	f.lead(f.games, f.patch)
	var earlier string
	if len(found) == 1 {
		earlier = found[0].ID
	} else {
		earlier = f.start(rollout.Spec{Image: second, MaxParallel: 1})
	}
	f.await(earlier, rollout.StateCompleted)

	later := f.start(rollout.Spec{Image: "gameserver:1.0.2", MaxParallel: 1, MaxUnavailable: 1})
	_, err = f.Change(t.Context(), later, rollout.Request{Action: rollout.ActionPause})
	require.NoError(t, err)
	_, err = f.Change(t.Context(), earlier, rollout.Request{Action: rollout.ActionUndo})
	require.ErrorIs(t, err, rollout.ErrOverlap)
	f.change(later, rollout.ActionUndo)
	f.await(later, rollout.StateUndone)
	f.change(earlier, rollout.ActionUndo)
	f.await(earlier, rollout.StateUndone)
	f.requireImages(first, 0)
}

// ScopeRollouts is not listed as a region.
func TestLeaderIsNotThatOfARegion(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 0)
	f.lead(f.games, f.patch)
	require.Eventually(t, func() bool {
		leader, found, err := f.games.Registry.Leader(t.Context(), node.ScopeRollouts)
		return err == nil && found && leader.Node == "n1"
	}, nodetest.Timeout, 20*time.Millisecond)
	overview, err := f.games.Registry.Overview(t.Context())
	require.NoError(t, err)
	require.Empty(t, overview.Deserted())
	_, found := overview.LeaderOf("eu")
	require.False(t, found)
}

// The rights of the user are checked before each patch. The user of a resume replaces the former one.
func TestRightsAreCheckedBeforeEachPatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 2)
	f.authorize = func(ctx context.Context, by rollout.Actor, _, gameID string) (context.Context, error) {
		if by.Name == "ada" && gameID == "g1" {
			return ctx, &access.ForbiddenError{Subject: by.Name, Permission: access.PermissionOperate, What: "game g1"}
		}
		return ctx, nil
	}
	f.lead(f.games, f.patch)
	id := f.start(rollout.Spec{Image: second, MaxParallel: 2})
	failed, games := f.await(id, rollout.StateFailed)
	require.Equal(t, rollout.Counts{Total: 2, Updated: 1, Failed: 1}, failed.Counts)
	require.Contains(t, games[1].Message, "game g1")
	_, isPatched := f.patches.Load("g1")
	require.False(t, isPatched)

	_, err := f.Change(t.Context(), id, rollout.Request{Action: rollout.ActionResume, By: rollout.Actor{Name: "bob"}})
	require.NoError(t, err)
	f.await(id, rollout.StateCompleted)
	f.requireImages(second, 2)
}

// A patch that the store or another operation delays is repeated with the same operation id, and a pause
// takes back one that was not accepted.
func TestDelayedPatchesAreRepeated(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 1)
	var tries atomic.Int64
	var isBlocked atomic.Bool
	isBlocked.Store(true)
	f.lead(f.games, func(ctx context.Context, request ports.OperationRequest) (operation.Outcome, error) {
		switch tries.Add(1) {
		case 1:
			return operation.Outcome{}, runtime.ErrUnavailable
		case 2:
			return operation.Outcome{}, &node.UnreachableError{Node: node.Ref{Region: "eu", Name: "n1"}, Reason: "is absent"}
		}
		if isBlocked.Load() {
			return operation.Outcome{}, operation.ErrBusy
		}
		return f.patch(ctx, request)
	})
	id := f.start(rollout.Spec{Image: second, MaxParallel: 1})
	require.Eventually(t, func() bool { return tries.Load() > 3 }, nodetest.Timeout, 10*time.Millisecond)
	f.change(id, rollout.ActionPause)
	paused, games := f.await(id, rollout.StatePaused)
	require.Equal(t, rollout.Counts{Total: 1, Pending: 1}, paused.Counts, "%+v", games)
	isBlocked.Store(false)
	f.change(id, rollout.ActionResume)
	f.await(id, rollout.StateCompleted)
	f.requireImages(second, 2)
}
