package rollout_test

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/adapters/etcdrollouts"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/maintenance"
	"galaxy/rtmanager/internal/services/rollouts"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/fakeengine"
	"galaxy/rtmanager/internal/testkit/faultkv"
	"galaxy/rtmanager/internal/testkit/nodetest"
	"galaxy/rtmanager/internal/workers/drain"
	worker "galaxy/rtmanager/internal/workers/rollout"
)

// manyGames is the number of games of TestManyGames. The README of internal/bench has its figures for 1000:
//
//	go test ./internal/workers/rollout -run ManyGames -v -args -games=1000
var manyGames = flag.Int("games", 40, "the number of games of TestManyGames")

// measuredNode returns a node whose engine does nothing, and the counter of its requests of etcd.
func measuredNode(t *testing.T, prefix, name string) (*nodetest.Node, *faultkv.KV) {
	t.Helper()
	client := etcdtest.InProcess(t)
	kv := faultkv.Wrap(client)
	machine := fakeengine.New("game:1.0.0", "game:1.0.1")
	n := nodetest.New(t, nodetest.Config{
		Client: client, Prefix: prefix, Region: "eu", Name: name, LeaseTTL: 2 * time.Minute, MinUptime: time.Millisecond,
		NewEngine: func(store string) ports.Engine {
			return machine.Engine(fakeengine.Owner{Store: store, Region: "eu", Node: name})
		},
	})
	n.Run()
	return n, kv
}

// A rollout and a drain of many games change each of them, with a bounded number of requests of etcd.
func TestManyGames(t *testing.T) {
	t.Parallel()
	count := *manyGames
	prefix := etcdtest.Prefix(t)
	from, fromKV := measuredNode(t, prefix, "n1")
	_, toKV := measuredNode(t, prefix, "n2")
	var starts errgroup.Group
	starts.SetLimit(32)
	spec := operation.Spec{Image: "game:1.0.0", HealthPath: "none", OnNodeLost: operation.NodeLostReschedule}
	for i := range count {
		starts.Go(func() error {
			_, err := from.Service.Execute(t.Context(), nodetest.StartOp(fmt.Sprintf("g%04d", i), spec), nil)
			return err
		})
	}
	require.NoError(t, starts.Wait())
	measure := func(name string, limit int, work func()) {
		before, start := fromKV.Counts().Total()+toKV.Counts().Total(), time.Now()
		work()
		took, requests := time.Since(start), fromKV.Counts().Total()+toKV.Counts().Total()-before
		t.Logf("%s of %d games: %s, %.1f requests of etcd for each", name, count, took.Round(time.Millisecond), float64(requests)/float64(count))
		require.Less(t, requests, limit*count+400)
	}
	store := etcdrollouts.New(from.Config.Client, etcdrollouts.Options{Prefix: prefix})
	service := rollouts.New(rollouts.Dependencies{Store: store, Records: from.Store}, rollouts.Config{})
	leader := worker.New(worker.Dependencies{
		Store: store, Election: from.Member, Records: from.Store,
		Patcher: patchFunc(func(ctx context.Context, request ports.OperationRequest) (operation.Outcome, error) {
			return from.Service.Execute(ctx, request, nil)
		}),
	}, worker.Config{})
	runUntilEnd(t, leader.Run)
	measure("rollout", 20, func() {
		started, err := service.Start(t.Context(), ports.RolloutRequest{Spec: rollout.Spec{Image: "game:1.0.1", MaxParallel: 16}})
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			found, err := store.Rollouts(t.Context())
			return err == nil && found[0].ID == started.ID && found[0].State == rollout.StateCompleted && found[0].Counts.Updated == count
		}, 10*nodetest.Timeout, 100*time.Millisecond)
	})

	settings := maintenance.New(maintenance.Dependencies{Settings: from.Registry, Nodes: from.Registry, Records: from.Store, Intents: from.Store}, maintenance.Config{})
	drainer := drain.New(drain.Dependencies{
		View: settings, Settings: from.Registry, Records: from.Store, Intents: from.Store, Nodes: from.Registry, Executor: from.Service, Placement: from.Placement,
	}, drain.Config{Region: "eu", Node: "n1"})
	runUntilEnd(t, settings.Run)
	runUntilEnd(t, drainer.Run)
	measure("drain", 40, func() {
		ref := node.Ref{Region: "eu", Name: "n1"}
		_, err := settings.StartDrain(t.Context(), ref, node.DrainOptions{Timeout: 10 * nodetest.Timeout}, ports.Origin{})
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			current, _ := settings.Current()
			done := current.Nodes[ref].Drain
			return done != nil && !done.IsActive() && done.MoveCount == count
		}, 10*nodetest.Timeout, 100*time.Millisecond)
	})
}

// runUntilEnd runs a worker until the end of the test.
func runUntilEnd(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}
