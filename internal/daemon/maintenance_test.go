package daemon_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// nodeSettings returns the settings of daemons with the process engine on one external etcd, by
// the names of their nodes in region eu. They have the image game:1.
func nodeSettings(t *testing.T, names ...string) map[string]config.Config {
	t.Helper()
	shared := externalSettings(t, etcdtest.Start(t).Endpoint())
	settings := map[string]config.Config{}
	for _, name := range names {
		cfg := shared
		cfg.Engine, cfg.Region, cfg.Node, cfg.DataDir = config.EngineProcess, "eu", name, t.TempDir()
		image := filepath.Join(cfg.DataDir, "images", "game", "1")
		require.NoError(t, os.MkdirAll(filepath.Dir(image), 0o755))
		require.NoError(t, os.WriteFile(image, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755))
		killGamesAtEnd(t, cfg.DataDir)
		settings[name] = cfg
	}
	return settings
}

func eu(name string) node.Ref { return node.Ref{Region: "eu", Name: name} }

var ada = ports.Origin{Actor: "ada", Reason: "kernel update"}

// startGame starts a game on the node, or on any for an empty name.
func (r *runningDaemon) startGame(t *testing.T, gameID, name string) (runtime.RuntimeRecord, error) {
	t.Helper()
	result, err := r.client.RunOperation(t.Context(), httpclient.Operation{
		OperationRequest: ports.OperationRequest{GameID: gameID, Kind: operation.KindStart, Spec: sleepingGame()}, Node: name,
	}, nil)
	if err != nil {
		return runtime.RuntimeRecord{}, err
	}
	return *result.Record, nil
}

// conditionsOf returns what the daemon knows of a node.
func (r *runningDaemon) conditionsOf(t *testing.T, name string) (node.Status, []node.Condition) {
	t.Helper()
	nodes, err := r.client.Nodes(t.Context())
	require.NoError(t, err)
	for _, n := range nodes.Items {
		if n.Name == name {
			return n.Status, n.Settings.Conditions()
		}
	}
	require.Fail(t, "no such node", name)
	return "", nil
}

// A cordoned node gets no new game, whichever daemon receives the request, also after its daemon was
// restarted. The games that it has are not affected.
func TestCordonedNodeGetsNoNewGames(t *testing.T) {
	t.Parallel()
	settings := nodeSettings(t, "n1", "n2")
	first, second := start(t, settings["n1"]), start(t, settings["n2"])
	_, err := second.startGame(t, "stays", "n1")
	require.NoError(t, err)
	_, err = second.startGame(t, "stops", "n1")
	require.NoError(t, err)
	_, err = second.client.RunOperation(t.Context(), httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: "stops", Kind: operation.KindStop}}, nil)
	require.NoError(t, err)

	changed, err := second.client.ChangeNode(t.Context(), eu("n1"), httpclient.NodeCordon, ada)
	require.NoError(t, err)
	require.Equal(t, "kernel update, by ada", changed.Cordoned.String())
	require.WithinDuration(t, time.Now(), changed.Cordoned.At, time.Minute)
	_, err = second.client.ChangeNode(t.Context(), eu("none"), httpclient.NodeCordon, ada)
	require.ErrorIs(t, err, runtime.ErrNotFound)

	require.NoError(t, first.stop())
	status, conditions := second.conditionsOf(t, "n1")
	require.Equal(t, node.StatusStopped, status)
	require.Equal(t, []node.Condition{node.ConditionCordoned}, conditions)
	first = start(t, settings["n1"])
	for i, d := range []*runningDaemon{first, second} {
		started, err := d.startGame(t, "any-"+string(rune('a'+i)), "")
		require.NoError(t, err)
		require.Equal(t, "n2", started.Node)
		for gameID, name := range map[string]string{"named": "n1", "stops": ""} {
			_, err = d.startGame(t, gameID, name)
			require.ErrorContains(t, err, "is cordoned (kernel update, by ada)")
		}
	}
	_, err = first.client.RunOperation(t.Context(), httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: "stays", Kind: operation.KindRestart}}, nil)
	require.NoError(t, err, "a game of the node can be restarted")

	_, err = first.client.ChangeNode(t.Context(), eu("n1"), httpclient.NodeUncordon, ada)
	require.NoError(t, err)
	_, err = second.startGame(t, "named", "n1")
	require.NoError(t, err)
	_, conditions = second.conditionsOf(t, "n1")
	require.Empty(t, conditions)
}

// exclusiveGame is a program that reports a second process of its game: it holds a lock while
// it runs. Its directory counts its starts.
const exclusiveGame = `#!/bin/sh
if ! mkdir "$DIR/lock"; then touch "$DIR/overlap"; fi
trap 'rmdir "$DIR/lock"; exit 0' TERM INT
echo started >> "$DIR/starts"
while :; do sleep 0.02; done
`

// addImage adds an image to the node.
func addImage(t *testing.T, cfg config.Config, version, program string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(cfg.DataDir, "images", "game", version), []byte(program), 0o755))
}

// startExclusive starts a game of exclusiveGame, and returns its directory.
func (r *runningDaemon) startExclusive(t *testing.T, gameID, name string, policy operation.NodeLostPolicy) (dir string) {
	t.Helper()
	dir = t.TempDir()
	spec := &operation.Spec{Image: "game:2", HealthPath: "none", Env: map[string]string{"DIR": dir}, OnNodeLost: policy}
	_, err := r.client.RunOperation(t.Context(), httpclient.Operation{
		OperationRequest: ports.OperationRequest{GameID: gameID, Kind: operation.KindStart, Spec: spec}, Node: name,
	}, nil)
	require.NoError(t, err)
	requireStarts(t, dir, 1)
	return dir
}

// startsOf returns how often the game was started.
func startsOf(dir string) int {
	starts, _ := os.ReadFile(filepath.Join(dir, "starts"))
	return strings.Count(string(starts), "started")
}

// requireStarts waits until the game has been started the number of times. It fails the test if
// the game was started more often, or has ever run twice at a time.
func requireStarts(t *testing.T, dir string, count int) {
	t.Helper()
	require.Eventually(t, func() bool { return startsOf(dir) >= count }, 30*time.Second, 20*time.Millisecond, "the game was not started %d times", count)
	require.Equal(t, count, startsOf(dir), "starts of the game")
	require.NoFileExists(t, filepath.Join(dir, "overlap"), "two processes of one game")
}

// move moves the game.
func (r *runningDaemon) move(t *testing.T, gameID string, origin ports.Origin, to node.Ref) (runtime.RuntimeRecord, error) {
	t.Helper()
	result, err := r.client.RunOperation(t.Context(), httpclient.Operation{
		OperationRequest: ports.OperationRequest{GameID: gameID, Kind: operation.KindMove, Target: &to, Origin: origin},
	}, nil)
	if result.Record == nil {
		return runtime.RuntimeRecord{}, err
	}
	return *result.Record, err
}

// nextState returns status and node of the next record that has others than those of last.
func nextState(t *testing.T, events <-chan ports.RuntimeEvent, last string) string {
	t.Helper()
	deadline := time.After(timeout)
	for {
		select {
		case event := <-events:
			if event.After == nil {
				continue
			}
			if state := fmt.Sprintf("%s on %s", event.After.Status, event.After.Node); state != last {
				return state
			}
		case <-deadline:
			require.Fail(t, "no event within the timeout", "after %q", last)
		}
	}
}

// A game that is moved is stopped once and started once. Watchers see the record of each step.
func TestMoveOfARunningGame(t *testing.T) {
	t.Parallel()
	settings := nodeSettings(t, "n1", "n2")
	for _, cfg := range settings {
		addImage(t, cfg, "2", exclusiveGame)
	}
	first, second := start(t, settings["n1"]), start(t, settings["n2"])
	dir := first.startExclusive(t, "g", "n1", "")
	before, err := first.client.GetVersioned(t.Context(), "g")
	require.NoError(t, err)
	events := watch(t, second)
	require.Equal(t, "running on n1", nextState(t, events, ""))

	origin := ports.Origin{OperationID: "move-1", Actor: "ada", Reason: "kernel update"}
	record, err := second.move(t, "g", origin, node.Ref{Name: "n2"})
	require.NoError(t, err)
	require.Equal(t, "n2", record.Node)
	require.Equal(t, runtime.StatusRunning, record.Status)
	require.Equal(t, before.Record.Generation+1, record.Generation)
	require.Equal(t, before.Record.CreatedAt, record.CreatedAt)
	require.Equal(t, "stopped on n1", nextState(t, events, "running on n1"))
	require.Equal(t, "running on n2", nextState(t, events, "stopped on n1"))
	requireStarts(t, dir, 2)
	repeated, err := first.move(t, "g", origin, node.Ref{Name: "n2"})
	require.NoError(t, err)
	require.Equal(t, record.CurrentContainerID, repeated.CurrentContainerID)
	requireStarts(t, dir, 2)
	require.Eventually(t, func() bool { return len(pidsOf(t, settings["n1"].DataDir)) == 0 }, 30*time.Second, 20*time.Millisecond, "the former node keeps its container")

	_, err = first.move(t, "g", ports.Origin{}, node.Ref{Name: "n2"})
	require.ErrorIs(t, err, operation.ErrRejected)
	require.ErrorContains(t, err, "the game is on node eu/n2 already")
	_, err = first.move(t, "g", ports.Origin{}, node.Ref{Name: "n9"})
	require.ErrorIs(t, err, node.ErrUnreachable)
	_, err = second.client.ChangeNode(t.Context(), eu("n1"), httpclient.NodeCordon, ada)
	require.NoError(t, err)
	_, err = first.move(t, "g", ports.Origin{}, eu("n1"))
	require.ErrorContains(t, err, "node eu/n1 is cordoned")
	requireStarts(t, dir, 2)
}

// A game that cannot be prepared on the other node is not stopped.
func TestFailedMoveStopsNothing(t *testing.T) {
	t.Parallel()
	settings := nodeSettings(t, "n1", "n2")
	addImage(t, settings["n1"], "2", exclusiveGame)
	first := start(t, settings["n1"])
	start(t, settings["n2"])
	dir := first.startExclusive(t, "g", "n1", "")

	_, err := first.move(t, "g", ports.Origin{}, eu("n2"))
	require.ErrorIs(t, err, container.ErrNoImage)
	requireStarts(t, dir, 1) // it was not stopped
}

// A stopped game that is moved stays stopped, and is started on the other node later.
func TestMoveOfAStoppedGame(t *testing.T) {
	t.Parallel()
	settings := nodeSettings(t, "n1", "n2")
	first := start(t, settings["n1"])
	start(t, settings["n2"])
	_, err := first.startGame(t, "g", "n1")
	require.NoError(t, err)
	_, err = first.client.RunOperation(t.Context(), httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: "g", Kind: operation.KindStop}}, nil)
	require.NoError(t, err)
	record, err := first.move(t, "g", ports.Origin{}, eu("n2"))
	require.NoError(t, err)
	require.Equal(t, []string{"n2", "stopped"}, []string{record.Node, string(record.Status)})
	started, err := first.startGame(t, "g", "")
	require.NoError(t, err)
	require.Equal(t, "n2", started.Node)
}

// drain requests the drain of a node.
func (r *runningDaemon) drain(t *testing.T, name string, options node.DrainOptions) {
	t.Helper()
	_, err := r.client.DrainNode(t.Context(), eu(name), options, false, ada)
	require.NoError(t, err)
}

// awaitDrain waits until the drain of a node has finished, and returns it.
func (r *runningDaemon) awaitDrain(t *testing.T, name string) node.Drain {
	t.Helper()
	var drain node.Drain
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		nodes, err := r.client.Nodes(t.Context())
		require.NoError(c, err)
		for _, n := range nodes.Items {
			if n.Name == name && n.Settings.Drain != nil {
				drain = *n.Settings.Drain
			}
		}
		require.NotNil(c, drain.FinishedAt, "the drain has not finished: %+v", drain)
	}, 90*time.Second, 50*time.Millisecond)
	return drain
}

// The daemon of a node is restarted while its node is drained. Each game is moved once, and runs
// once at any time.
func TestDrainContinuesAfterARestart(t *testing.T) {
	t.Parallel()
	settings := nodeSettings(t, "n1", "n2", "n3")
	for _, cfg := range settings {
		addImage(t, cfg, "2", exclusiveGame)
	}
	first, second := start(t, settings["n1"]), start(t, settings["n2"])
	start(t, settings["n3"])
	dirs := map[string]string{}
	for i := range 6 {
		gameID := fmt.Sprintf("g%d", i)
		dirs[gameID] = first.startExclusive(t, gameID, "n1", operation.NodeLostReschedule)
	}
	second.drain(t, "n1", node.DrainOptions{Timeout: time.Minute})
	require.Eventually(t, func() bool { // in the middle of the drain
		for _, dir := range dirs {
			if startsOf(dir) > 1 {
				return true
			}
		}
		return false
	}, 30*time.Second, 5*time.Millisecond)
	require.NoError(t, first.stop())
	start(t, settings["n1"])

	drain := second.awaitDrain(t, "n1")
	require.Zero(t, drain.Remaining)
	_, conditions := second.conditionsOf(t, "n1")
	require.Equal(t, []node.Condition{node.ConditionDrained}, conditions)
	used := map[string]bool{}
	for gameID, dir := range dirs {
		found, err := second.client.GetVersioned(t.Context(), gameID)
		require.NoError(t, err)
		require.Equal(t, runtime.StatusRunning, found.Record.Status)
		used[found.Record.Node] = true
		requireStarts(t, dir, 2)
	}
	require.Equal(t, map[string]bool{"n2": true, "n3": true}, used, "the games are spread")
}

// A drain waits for games that may not be moved until its deadline, and stops them with
// stop-only.
func TestDrainOfGamesThatStay(t *testing.T) {
	t.Parallel()
	settings := nodeSettings(t, "n1", "n2")
	first, second := start(t, settings["n1"]), start(t, settings["n2"])
	_, err := first.startGame(t, "stays", "n1")
	require.NoError(t, err)
	plan, err := second.client.DrainNode(t.Context(), eu("n1"), node.DrainOptions{Timeout: time.Second}, true, ada)
	require.NoError(t, err)
	require.Equal(t, []node.DrainStep{{GameID: "stays", Action: node.DrainWait}}, plan.Plan)
	_, conditions := second.conditionsOf(t, "n1")
	require.Empty(t, conditions, "a plan changes nothing")

	second.drain(t, "n1", node.DrainOptions{Timeout: time.Second})
	drain := second.awaitDrain(t, "n1")
	require.Equal(t, 1, drain.Remaining)
	require.Equal(t, node.DrainWaiting, drain.Events[0].Result)
	_, conditions = second.conditionsOf(t, "n1")
	require.Equal(t, []node.Condition{node.ConditionCordoned}, conditions)

	second.drain(t, "n1", node.DrainOptions{Timeout: time.Minute, StopOnly: true})
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		record, err := first.client.Get(t.Context(), "stays")
		require.NoError(c, err)
		require.Equal(c, []string{"n1", "stopped"}, []string{record.Node, string(record.Status)})
	}, 30*time.Second, 20*time.Millisecond)
	drain = second.awaitDrain(t, "n1")
	require.Equal(t, []int{1, 0}, []int{drain.Stopped, drain.Remaining})

	_, err = second.client.ChangeNode(t.Context(), eu("n1"), httpclient.NodeUncordon, ada)
	require.NoError(t, err)
	require.NoError(t, first.stop())
	_, err = second.client.DrainNode(t.Context(), eu("n1"), node.DrainOptions{Timeout: time.Minute}, false, ada)
	require.ErrorIs(t, err, operation.ErrRejected)
	require.ErrorContains(t, err, "node eu/n1 is absent")
}

// A paused node does not restart its crashed game, also after its daemon was restarted.
func TestPausedNodeRestartsNothing(t *testing.T) {
	t.Parallel()
	settings := nodeSettings(t, "n1", "n2")
	for name, cfg := range settings {
		cfg.ReconcileEvery = 100 * time.Millisecond
		settings[name] = cfg
	}
	first, second := start(t, settings["n1"]), start(t, settings["n2"])
	spec := sleepingGame()
	spec.Crash = operation.CrashPolicy{Attempts: 3, Window: operation.Duration(time.Hour), Delay: operation.Duration(time.Millisecond)}
	_, err := first.client.RunOperation(t.Context(), httpclient.Operation{
		OperationRequest: ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: spec}, Node: "n1",
	}, nil)
	require.NoError(t, err)
	_, err = second.client.ChangeRegion(t.Context(), "eu", httpclient.NodePause, ada)
	require.NoError(t, err)
	require.NoError(t, first.stop())
	first = start(t, settings["n1"])
	for _, pid := range pidsOf(t, settings["n1"].DataDir) {
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		report, err := first.client.Drift(t.Context())
		require.NoError(c, err)
		require.Len(c, report.Findings, 1)
		require.Equal(c, drift.KindCrashed, report.Findings[0].Kind)
		require.Equal(c, "region eu is paused: kernel update, by ada", report.Findings[0].BlockedBy)
		require.Greater(c, report.Findings[0].Observations, 3)
	}, 30*time.Second, 50*time.Millisecond)
	record, err := first.client.Get(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, runtime.StatusStopped, record.Status, "the record follows what runs")
	_, err = first.client.ChangeRegion(t.Context(), "eu", httpclient.NodeResume, ada)
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		record, err := first.client.Get(t.Context(), "g")
		require.NoError(c, err)
		require.Equal(c, runtime.StatusRunning, record.Status)
	}, 30*time.Second, 50*time.Millisecond)
}
