package cleanup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/statedir"
	"galaxy/rtmanager/internal/testkit/fakeengine"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/workers/cleanup"
)

const retention = 7 * 24 * time.Hour

// registry is the cluster as a test defines it.
type registry struct {
	present []node.Node
	leader  string
}

func (r *registry) Overview(context.Context) (node.Overview, error) {
	overview := node.Overview{Present: r.present, Absent: []node.Absent{{Node: node.Node{Region: "eu", Name: "lost"}}, {Node: node.Node{Region: "ap", Name: "a1"}}}}
	if r.leader != "" {
		overview.Leaders = []node.Leader{{Scope: "eu", Region: "eu", Node: r.leader}}
	}
	return overview, nil
}

// retentionFixture is the retention worker of eu/n1 with a fake clock, in a cluster with
// eu/n2 and us/u1.
type retentionFixture struct {
	*cleanup.Retention
	t        *testing.T
	store    *memstore.Store
	machine  *fakeengine.Machine
	engine   ports.Engine
	registry *registry
	states   statedir.Dirs
	isBraked bool
	now      time.Time
}

func newRetentionFixture(t *testing.T) *retentionFixture {
	t.Helper()
	f := &retentionFixture{
		t: t, store: memstore.New(), machine: fakeengine.New("game:1.0.0"), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		registry: &registry{present: []node.Node{
			{Region: "eu", Name: "n1", Engine: "fake"}, {Region: "eu", Name: "n2", Engine: "fake"}, {Region: "us", Name: "u1", Engine: "fake"},
		}},
		states: statedir.Dirs{Path: filepath.Join(t.TempDir(), "state"), TrackPath: filepath.Join(t.TempDir(), "tracked")},
	}
	f.engine = f.machine.Engine(fakeengine.Owner{Store: "s", Region: "eu", Node: "n1"})
	f.Retention = cleanup.NewRetention(cleanup.RetentionDependencies{
		Store: f.store, Engine: f.engine, Nodes: f.registry, States: f.states, IsBraked: func() bool { return f.isBraked },
	}, cleanup.RetentionConfig{
		Region: "eu", Node: "n1", Retention: retention, Interval: time.Millisecond, Rate: 1_000_000, Clock: func() time.Time { return f.now },
	})
	return f
}

// putRemoved writes a game that was removed the duration ago.
func (f *retentionFixture) putRemoved(gameID, region, name string, ago time.Duration) {
	f.t.Helper()
	at := f.now.Add(-ago)
	require.NoError(f.t, f.store.Upsert(f.t.Context(), runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRemoved, Region: region, Node: name, CreatedAt: at, LastOpAt: at, RemovedAt: &at,
	}))
}

func (f *retentionFixture) putRunning(gameID string) {
	f.t.Helper()
	require.NoError(f.t, f.store.Upsert(f.t.Context(), runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, Region: "eu", Node: "n1", CurrentContainerID: "c", CreatedAt: f.now, LastOpAt: f.now, StartedAt: &f.now,
	}))
}

func (f *retentionFixture) dirOf(gameID string) string {
	return filepath.Join(f.states.Path, statedir.Name(gameID))
}

func (f *retentionFixture) makeState(gameID string) {
	f.t.Helper()
	require.NoError(f.t, os.MkdirAll(f.dirOf(gameID), 0o700))
}

// run starts the worker, and returns a function that stops it.
func (f *retentionFixture) run() (stop func()) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	return func() {
		f.t.Helper()
		cancel()
		require.NoError(f.t, <-done)
	}
}

// awaitTracked waits until exactly the state directories of these games are tracked.
func (f *retentionFixture) awaitTracked(games ...string) {
	f.t.Helper()
	require.EventuallyWithT(f.t, func(c *assert.CollectT) {
		tracked, err := f.states.Tracked()
		assert.NoError(c, err)
		assert.ElementsMatch(c, games, tracked)
	}, 30*time.Second, time.Millisecond)
}

func (f *retentionFixture) awaitNoState(gameID string) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		_, err := os.Lstat(f.dirOf(gameID))
		return errors.Is(err, os.ErrNotExist)
	}, 30*time.Second, time.Millisecond)
}

func (f *retentionFixture) requireGames(games ...string) {
	f.t.Helper()
	records, err := f.store.List(f.t.Context())
	require.NoError(f.t, err)
	found := []string{}
	for _, r := range records {
		found = append(found, r.GameID)
	}
	require.ElementsMatch(f.t, games, found)
}

func (f *retentionFixture) pass(want int) {
	f.t.Helper()
	deleted, err := f.Pass(f.t.Context())
	require.NoError(f.t, err)
	require.Equal(f.t, want, deleted)
}

func TestRemovedGamesOfThisNodeAreDeletedAfterTheRetention(t *testing.T) {
	t.Parallel()
	f := newRetentionFixture(t)
	f.putRemoved("due", "eu", "n1", retention)
	f.putRemoved("early", "eu", "n1", retention-time.Second)
	f.putRemoved("on n2", "eu", "n2", 2*retention)
	f.pass(1)
	f.requireGames("early", "on n2")
	f.now = f.now.Add(time.Second)
	f.pass(1)
	f.requireGames("on n2")
}

func TestGameWithAContainerOrAnOperationIsNotDeleted(t *testing.T) {
	t.Parallel()
	f := newRetentionFixture(t)
	f.putRemoved("with container", "eu", "n1", retention)
	f.putRemoved("busy", "eu", "n1", retention)
	c, err := f.engine.Create(t.Context(), container.Spec{Name: "c", Labels: container.Labels{
		Store: "s", Region: "eu", Node: "n1", GameID: "with container", Image: "game:1.0.0", Generation: 1, OperationID: "op",
	}})
	require.NoError(t, err)
	_, err = f.store.PutIntent(t.Context(), operation.Intent{GameID: "busy", Current: &operation.Operation{ID: "op", Kind: operation.KindStart}}, ports.IntentVersion{})
	require.NoError(t, err)
	f.pass(0)
	f.requireGames("with container", "busy")
	require.NoError(t, f.engine.Remove(t.Context(), c.ID))
	f.pass(1)
	f.requireGames("busy")
}

func TestNothingIsDeletedWhileTheBrakeIsEngaged(t *testing.T) {
	t.Parallel()
	f := newRetentionFixture(t)
	f.putRemoved("due", "eu", "n1", retention)
	f.isBraked = true
	f.pass(0)
	f.isBraked = false
	f.pass(1)
}

// The leader deletes the games that no node deletes as its own, once it has observed the
// absence of their node for long enough.
func TestLeaderDeletesGamesOfAbsentNodes(t *testing.T) {
	t.Parallel()
	f := newRetentionFixture(t)
	f.putRemoved("of a lost node", "eu", "lost", retention)
	f.putRemoved("of an unknown node", "eu", "unknown", retention)
	f.putRemoved("without a node", "", "", retention)
	f.putRemoved("without a name", "eu", "", retention)
	f.putRemoved("of a lost region", "ap", "a1", retention)
	f.putRemoved("of another region", "us", "absent", retention)
	f.putRemoved("of n2", "eu", "n2", retention)
	f.pass(0)
	f.registry.leader = "n2"
	f.pass(0)
	f.registry.leader = "n1"
	f.pass(3)
	f.requireGames("of a lost node", "of a lost region", "of another region", "of n2")
	f.now = f.now.Add(time.Hour - time.Second)
	f.pass(0)
	f.now = f.now.Add(time.Second)
	f.pass(2)
	f.requireGames("of another region", "of n2")
}

func TestStateDirectoriesOfDeletedGamesAreDeleted(t *testing.T) {
	t.Parallel()
	f := newRetentionFixture(t)
	foreign := filepath.Join(f.states.Path, "foreign")
	require.NoError(t, os.MkdirAll(foreign, 0o700))
	for _, gameID := range []string{"due", "early", "restarted", "deleted"} {
		f.putRemoved(gameID, "eu", "n1", retention-time.Minute)
		f.makeState(gameID)
	}
	stop := f.run()
	f.awaitTracked("deleted", "due", "early", "restarted")
	f.putRemoved("due", "eu", "n1", retention)
	f.awaitNoState("due")
	f.putRunning("restarted")
	require.NoError(t, f.store.Delete(t.Context(), ports.DeleteInput{GameID: "deleted"}))
	f.awaitNoState("deleted")
	stop()
	require.DirExists(t, f.dirOf("early"))
	require.DirExists(t, f.dirOf("restarted"))
	require.DirExists(t, foreign)

	// A game that is deleted while the daemon does not run was tracked before.
	require.NoError(t, f.store.Delete(t.Context(), ports.DeleteInput{GameID: "early"}))
	f.pass(0)
	require.NoDirExists(t, f.dirOf("early"))
}

// The daemon of a node does not run while its game is removed and deleted: the leader does
// that for a node that is absent.
func TestStateDirectoryOfAGameThatEndsDuringAnAbsenceIsDeleted(t *testing.T) {
	t.Parallel()
	f := newRetentionFixture(t)
	f.putRunning("game")
	f.makeState("game")
	stop := f.run()
	f.awaitTracked("game")
	stop()
	require.DirExists(t, f.dirOf("game"))
	f.putRemoved("game", "eu", "n1", retention)
	require.NoError(t, f.store.Delete(t.Context(), ports.DeleteInput{GameID: "game"}))
	f.pass(0)
	require.NoDirExists(t, f.dirOf("game"))
	f.awaitTracked()
}

func TestThousandsOfGamesAreDeleted(t *testing.T) {
	t.Parallel()
	f := newRetentionFixture(t)
	for n := range 3000 {
		f.putRemoved(fmt.Sprint("game-", n), "eu", "n1", retention)
	}
	f.pass(3000)
	f.requireGames()
}

// archivingStore is the store of a daemon with an archive, which accepts no game while err is set.
type archivingStore struct {
	*memstore.Store

	err      error
	attempts int
}

func (s *archivingStore) Delete(ctx context.Context, input ports.DeleteInput) error {
	s.attempts++
	if s.err != nil {
		return s.err
	}
	return s.Store.Delete(ctx, input)
}

// While the archive does not accept games, none is deleted, and the attempts have a backoff.
func TestRetentionWaitsForTheArchive(t *testing.T) {
	t.Parallel()
	f := newRetentionFixture(t)
	store := &archivingStore{Store: f.store, err: runtime.ErrNotArchived}
	worker := cleanup.NewRetention(cleanup.RetentionDependencies{
		Store: store, Engine: f.engine, Nodes: f.registry, IsBraked: func() bool { return false },
	}, cleanup.RetentionConfig{Region: "eu", Node: "n1", Retention: retention, Interval: time.Minute, Clock: func() time.Time { return f.now }})
	f.putRemoved("a", "eu", "n1", 2*retention)
	for _, step := range []struct {
		after    time.Duration
		attempts int
	}{
		{0, 1}, {time.Second, 1}, {time.Minute, 2}, {time.Minute, 2}, {time.Minute, 3}, {3 * time.Minute, 3}, {time.Minute, 4}, {8 * time.Minute, 5}, {9 * time.Minute, 5}, {time.Minute, 6},
	} {
		f.now = f.now.Add(step.after)
		count, err := worker.Pass(t.Context())
		require.Zero(t, count)
		require.Equal(t, step.attempts, store.attempts)
		if err != nil {
			require.ErrorIs(t, err, runtime.ErrNotArchived)
		}
	}
	store.err = nil
	f.now = f.now.Add(10 * time.Minute)
	count, err := worker.Pass(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, count)
}

// pickyStore is the store of a daemon whose archive does not accept games with the prefix bad.
type pickyStore struct{ *memstore.Store }

func (s pickyStore) Delete(ctx context.Context, input ports.DeleteInput) error {
	if strings.HasPrefix(input.GameID, "bad") {
		return runtime.ErrNotArchived
	}
	return s.Store.Delete(ctx, input)
}

// Many games that the archive never accepts do not keep the others in the store.
func TestRetentionDeletesBehindUnacceptableGames(t *testing.T) {
	t.Parallel()
	f := newRetentionFixture(t)
	worker := cleanup.NewRetention(cleanup.RetentionDependencies{
		Store: pickyStore{f.store}, Engine: f.engine, Nodes: f.registry, IsBraked: func() bool { return false },
	}, cleanup.RetentionConfig{Region: "eu", Node: "n1", Retention: retention, Interval: time.Minute, Rate: 100_000, Clock: func() time.Time { return f.now }})
	for i := range 200 {
		f.putRemoved(fmt.Sprintf("bad-%03d", i), "eu", "n1", 3*retention)
	}
	for i := range 40 {
		f.putRemoved(fmt.Sprintf("good-%03d", i), "eu", "n1", 2*retention)
	}
	count := 0
	for range 30 {
		deleted, _ := worker.Pass(t.Context())
		count += deleted
		f.now = f.now.Add(10 * time.Minute)
	}
	require.Equal(t, 40, count)
}

// A game whose first start has failed has an intent and no record. Its node deletes that.
func TestFailedStartsAreDeleted(t *testing.T) {
	t.Parallel()
	f := newRetentionFixture(t)
	put := func(gameID, name string, ago time.Duration, current *operation.Operation) {
		_, err := f.store.PutIntent(t.Context(), operation.Intent{GameID: gameID, Current: current, Recent: []operation.Outcome{{
			OperationID: "op", Kind: operation.KindStart, Region: "eu", Node: name, FinishedAt: f.now.Add(-ago), Failure: &operation.Failure{Code: operation.FailureNoImage},
		}}}, ports.IntentVersion{})
		require.NoError(t, err)
	}
	put("due", "n1", retention, nil)
	put("recent", "n1", retention-time.Minute, nil)
	put("other node", "n2", retention, nil)
	put("in progress", "n1", retention, &operation.Operation{ID: "op-2", Kind: operation.KindStart, Region: "eu", Node: "n1"})
	put("running", "n1", retention, nil)
	f.putRunning("running")
	intents := func() []string {
		games, err := f.store.GamesWithIntent(t.Context())
		require.NoError(t, err)
		return games
	}
	count, err := f.Pass(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, count)
	require.ElementsMatch(t, []string{"recent", "other node", "in progress", "running"}, intents())
	f.now = f.now.Add(2 * time.Hour)
	count, err = f.Pass(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, count)
	require.ElementsMatch(t, []string{"other node", "in progress", "running"}, intents())
}
