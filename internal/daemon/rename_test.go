package daemon_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/dockertest"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// processSettings returns the settings of the node local/before on an external etcd, with
// the process engine and the image game:1. Its games are killed when the test ends.
func processSettings(t *testing.T) config.Config {
	t.Helper()
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	cfg.DataDir, cfg.Engine, cfg.Region, cfg.Node = t.TempDir(), config.EngineProcess, "local", "before"
	image := filepath.Join(cfg.DataDir, "images", "game", "1")
	require.NoError(t, os.MkdirAll(filepath.Dir(image), 0o755))
	require.NoError(t, os.WriteFile(image, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755))
	killGamesAtEnd(t, cfg.DataDir)
	return cfg
}

// killGamesAtEnd kills the games below the data directory when the test ends, and waits until their
// shims write no more files. A daemon that stops leaves its games running.
func killGamesAtEnd(t *testing.T, dataDir string) {
	t.Helper()
	t.Cleanup(func() {
		for _, pid := range pidsOf(t, dataDir) {
			_, shim := processState(pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
			require.Eventually(t, func() bool {
				state, _ := processState(shim)
				return state == "" || state == "Z" || shim == os.Getpid() || shim == 1
			}, timeout, 10*time.Millisecond, "the shim of game %d exits", pid)
		}
	})
}

// processState returns the state of a process, Z for one that has exited, and its parent. The state is
// empty if there is no such process.
func processState(pid int) (state string, parent int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	_, fields, _ := strings.Cut(string(text), ") ") // after the name
	_, _ = fmt.Sscan(fields, &state, &parent)
	return state, parent
}

// pidsOf returns the pids of the games below the data directory, by container.
func pidsOf(t *testing.T, dataDir string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dataDir, "nodes", "*", "*", "containers", "*", "process"))
	require.NoError(t, err)
	pids := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var pid int
		_, err = fmt.Sscan(string(text), &pid)
		require.NoError(t, err)
		if syscall.Kill(pid, 0) == nil {
			pids[filepath.Base(filepath.Dir(file))] = pid
		}
	}
	return pids
}

// execute runs an operation and returns the record that it left.
func (r *runningDaemon) execute(t *testing.T, kind operation.Kind, gameID string, spec *operation.Spec) runtime.RuntimeRecord {
	t.Helper()
	_, err := r.client.Execute(t.Context(), ports.OperationRequest{GameID: gameID, Kind: kind, Spec: spec}, nil)
	require.NoError(t, err)
	record, err := r.client.Get(t.Context(), gameID)
	require.NoError(t, err)
	return record
}

func sleepingGame() *operation.Spec { return &operation.Spec{Image: "game:1", HealthPath: "none"} }

// The host name changes, which is the default of --node.
func TestDataDirOfAnotherNode(t *testing.T) {
	t.Parallel()
	cfg := processSettings(t)
	first := start(t, cfg)
	first.execute(t, operation.KindStart, "game", sleepingGame())
	require.NoError(t, first.stop())
	before := pidsOf(t, cfg.DataDir)
	require.Len(t, before, 1)

	for _, change := range []func(*config.Config){
		func(c *config.Config) { c.Node = "after" },
		func(c *config.Config) { c.Region = "eu" },
		func(c *config.Config) { c.Node, c.Engine = "after", config.EngineAuto },
	} {
		other := cfg
		change(&other)
		for range 2 { // a failed start leaves nothing that lets the next one through
			err := startError(t, other)
			require.ErrorContains(t, err, "has run games as node local/before, which still has 1 container(s)")
			require.ErrorContains(t, err, "cannot serve as node "+other.Region+"/"+other.Node)
			require.ErrorContains(t, err, "--rename-from local/before")
		}
	}
	require.Equal(t, before, pidsOf(t, cfg.DataDir))

	restarted := start(t, cfg)
	restarted.execute(t, operation.KindStop, "game", nil)
	restarted.execute(t, operation.KindCleanup, "game", nil)
	require.NoError(t, restarted.stop())
	cfg.Node = "after"
	start(t, cfg) // nothing is out of reach
}

// A node is renamed while its games run, and renamed back.
func TestRenameOfRunningGames(t *testing.T) {
	t.Parallel()
	cfg := processSettings(t)
	first := start(t, cfg)
	for _, gameID := range []string{"a", "b"} {
		first.execute(t, operation.KindStart, gameID, sleepingGame())
	}
	stopped := first.execute(t, operation.KindStop, "b", nil)
	require.NoError(t, first.stop())
	pids := pidsOf(t, cfg.DataDir)
	require.Len(t, pids, 1)

	cfg.Node, cfg.RenameFrom = "after", "local/before"
	for range 2 { // with the flag kept, the second start changes nothing
		renamed := start(t, cfg)
		require.Equal(t, pids, pidsOf(t, cfg.DataDir))
		records, err := renamed.client.List(t.Context())
		require.NoError(t, err)
		require.Len(t, records, 2)
		for _, record := range records {
			require.Equal(t, "after", record.Node)
			history, err := renamed.client.History(t.Context(), record.GameID)
			require.NoError(t, err)
			require.Equal(t, "node renamed from local/before to local/after", history[0].Reason)
			require.Equal(t, history[0].From, history[0].To)
		}
		explained, err := renamed.client.Explain(t.Context(), "a")
		require.NoError(t, err)
		require.Len(t, explained.Containers, 1)
		report, err := renamed.client.Drift(t.Context())
		require.NoError(t, err)
		require.Empty(t, report.Findings)
		nodes, err := renamed.client.Nodes(t.Context())
		require.NoError(t, err)
		require.Len(t, nodes.Items, 1, "the former name is removed")
		require.NoError(t, renamed.stop())
	}

	former := cfg
	former.Node, former.RenameFrom = "before", ""
	require.ErrorContains(t, startError(t, former), "has run games as node local/after")
	former.RenameFrom = "local/after"
	back := start(t, former)
	require.Equal(t, pids, pidsOf(t, cfg.DataDir))
	require.Equal(t, stopped.CurrentContainerID, back.execute(t, operation.KindStart, "b", nil).CurrentContainerID, "its container is found")
	for _, gameID := range []string{"a", "b"} {
		require.Equal(t, "before", back.execute(t, operation.KindStop, gameID, nil).Node)
	}
	require.Empty(t, pidsOf(t, cfg.DataDir))
}

// A rename is refused while a daemon runs as the former node, and for a name that this
// machine does not know.
func TestRenameThatIsRefused(t *testing.T) {
	t.Parallel()
	cfg := processSettings(t)
	first := start(t, cfg)
	first.execute(t, operation.KindStart, "game", sleepingGame())

	renamed := cfg
	renamed.Node, renamed.RenameFrom = "after", "local/before"
	require.ErrorContains(t, startError(t, renamed), "--rename-from local/before: a daemon on this machine runs as that node")
	renamed.DataDir, renamed.Engine = t.TempDir(), config.EngineProcess
	require.ErrorContains(t, startError(t, renamed), "--rename-from local/before: this machine has no games of that node")

	second := cfg
	second.Node = "second"
	start(t, second) // two nodes may share a data directory while both run
	record, err := first.client.Get(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, "before", record.Node)
}

// dockerImage builds the image of a game on the Docker Engine of this machine. It is removed
// when the test ends.
func dockerImage(t *testing.T) string {
	t.Helper()
	return dockerImageOf(t, "../../cmd/gameserver")
}

// dockerImageOf is dockerImage for the program of a package.
func dockerImageOf(t *testing.T, pkg string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds an image")
	}
	api := dockertest.Client(t)
	program := filepath.Join(t.TempDir(), "game")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	content, err := os.ReadFile(program)
	require.NoError(t, err)
	image := "rtmanager-test-rename-" + strings.ToLower(rand.Text()[:10]) + ":1"
	require.NoError(t, dockertest.Import(t.Context(), api, dockertest.Image{Ref: image, Program: content, Entrypoint: []string{"/game"}}))
	t.Cleanup(func() {
		_, err := api.ImageRemove(context.WithoutCancel(t.Context()), image, client.ImageRemoveOptions{Force: true})
		require.NoError(t, err)
	})
	return image
}

// dockerSettings returns the settings of the node local/before on an external etcd, with
// Docker.
func dockerSettings(t *testing.T) config.Config {
	t.Helper()
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	cfg.DataDir, cfg.Engine, cfg.Region, cfg.Node = t.TempDir(), config.EngineDocker, "local", "before"
	cfg.NodeTTL = 4 * time.Second
	return cfg
}

// containersOf returns the ids of the store's containers in Docker.
func containersOf(t *testing.T, api *client.Client, store string) []string {
	t.Helper()
	listed, err := api.ContainerList(context.WithoutCancel(t.Context()), client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", "io.galaxy.rtmanager.store="+store),
	})
	require.NoError(t, err)
	var ids []string
	for _, c := range listed.Items {
		ids = append(ids, c.ID)
	}
	return ids
}

// removeContainersAtEnd removes the containers of the store from Docker when the test ends.
func removeContainersAtEnd(t *testing.T, api *client.Client, store string) {
	t.Helper()
	t.Cleanup(func() {
		for _, id := range containersOf(t, api, store) {
			_, err := api.ContainerRemove(context.WithoutCancel(t.Context()), id, client.ContainerRemoveOptions{Force: true})
			require.NoError(t, err)
		}
	})
}

// The labels of Docker containers cannot be changed.
func TestRenameOfDockerContainers(t *testing.T) {
	t.Parallel()
	image, cfg := dockerImage(t), dockerSettings(t)
	first := start(t, cfg)
	removeContainersAtEnd(t, dockertest.Client(t), first.Store)
	started := first.execute(t, operation.KindStart, "game", &operation.Spec{Image: image})
	require.NoError(t, first.stop())

	cfg.Node = "after"
	for range 2 {
		err := startError(t, cfg)
		require.ErrorContains(t, err, "has run games as node local/before")
		require.ErrorContains(t, err, "in Docker, so it cannot serve as node local/after")
	}
	cfg.RenameFrom = "local/before"
	require.NoError(t, start(t, cfg).stop())
	cfg.RenameFrom = ""
	renamed := start(t, cfg)
	explained, err := renamed.client.Explain(t.Context(), "game")
	require.NoError(t, err)
	require.Len(t, explained.Containers, 1)
	require.Equal(t, started.CurrentContainerID, explained.Containers[0].ID)
	require.Equal(t, "after", explained.Record.Node)
	renamed.execute(t, operation.KindStop, "game", nil)
	require.Empty(t, renamed.execute(t, operation.KindCleanup, "game", nil).CurrentContainerID)
}

// The host name has changed and the data directory is lost. The games of the former name run in
// Docker.
func TestDockerEngineOfAnotherNode(t *testing.T) {
	t.Parallel()
	image, before := dockerImage(t), dockerSettings(t)
	first := start(t, before)
	removeContainersAtEnd(t, dockertest.Client(t), first.Store)
	started := first.execute(t, operation.KindStart, "game", &operation.Spec{Image: image})

	after := before
	after.Node, after.DataDir = "after", t.TempDir()
	require.NoError(t, start(t, after).stop(), "daemons may share a Docker Engine")
	require.NoError(t, first.stop())
	for _, change := range []func(*config.Config){
		func(*config.Config) {},
		func(c *config.Config) { c.Node, c.Region = "before", "eu" },
		func(c *config.Config) { c.DataDir, c.Engine = t.TempDir(), config.EngineAuto },
	} {
		other := after
		change(&other)
		err := startError(t, other)
		require.ErrorContains(t, err, "this Docker Engine has run games as node local/before, which is absent and still has 1 game(s) (containers rtm-game-")
		require.ErrorContains(t, err, "so it cannot serve as node "+other.Region+"/"+other.Node)
		require.ErrorContains(t, err, "start with --region local --node before, or take the games over with --rename-from local/before")
	}

	// The daemon of the former name was killed: it is present until its lease expires.
	killPresence(t, before)
	require.ErrorContains(t, startError(t, after), "which is absent")
	killPresence(t, before)
	after.RenameFrom = "local/before"
	renamed := start(t, after)
	record, err := renamed.client.Get(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, "after", record.Node)
	require.Equal(t, runtime.StatusRunning, record.Status)
	require.Equal(t, started.CurrentContainerID, record.CurrentContainerID)
	require.Equal(t, []string{record.CurrentContainerID}, containersOf(t, dockertest.Client(t), renamed.Store))
}

// killPresence makes the node of the settings present, as a daemon does that is killed at
// once: nothing renews its lease.
func killPresence(t *testing.T, cfg config.Config) {
	t.Helper()
	etcd, err := clientv3.New(clientv3.Config{Endpoints: cfg.EtcdEndpoints, Logger: zap.NewNop()})
	require.NoError(t, err)
	registry := etcdmembers.New(etcd, etcdmembers.Options{Prefix: cfg.EtcdPrefix, LeaseTTL: cfg.NodeTTL})
	member, err := registry.Join(t.Context(), node.Node{Region: cfg.Region, Name: cfg.Node, Identity: "killed"})
	require.NoError(t, err)
	require.NoError(t, etcd.Close())
	t.Cleanup(func() { require.NoError(t, member.Close()) })
}

// A node is lost whose Docker Engine another node uses. Its game moves to that node, which
// removes the former container before it starts the game.
func TestGameMovesOnASharedDockerEngine(t *testing.T) {
	t.Parallel()
	image, cfg := dockerImage(t), dockerSettings(t)
	cfg.NodeLostGrace, cfg.PlannedStopGrace = time.Second, time.Second
	first := start(t, cfg)
	api := dockertest.Client(t)
	removeContainersAtEnd(t, api, first.Store)
	first.execute(t, operation.KindStart, "game", &operation.Spec{Image: image, OnNodeLost: operation.NodeLostReschedule})
	cfg.Node, cfg.DataDir = "after", t.TempDir()
	other := start(t, cfg)
	require.NoError(t, first.stop())

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		record, err := other.client.Get(t.Context(), "game")
		require.NoError(c, err)
		require.Equal(c, "after", record.Node)
		require.Equal(c, []string{record.CurrentContainerID}, containersOf(t, api, other.Store), "the game runs once")
	}, timeout, 50*time.Millisecond)
}
