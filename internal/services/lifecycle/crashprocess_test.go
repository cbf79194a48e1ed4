package lifecycle_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/healthprobe"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/lifecycle"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// victimEnv holds the orders of a victim: this test binary, run as a daemon that
// kills itself.
const victimEnv = "RTMANAGER_TEST_VICTIM"

// orders say what a victim does: the requests of Before in peace, and then those of
// Then, until so many outward acts have been done.
type orders struct {
	Etcd, Prefix, Identity string
	Machine                machine
	Before, Then           []ports.OperationRequest
	KillAfter              int64
}

// bomb kills this process with signal 9 after so many acts.
type bomb struct {
	left  atomic.Int64
	armed atomic.Bool
}

func (b *bomb) acted() {
	if b.armed.Load() && b.left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the next instruction must not be reached
	}
}

// minedEngine, minedStore are the real ones, with a bomb behind every act.
type minedEngine struct {
	ports.Engine
	bomb *bomb
}

func (e minedEngine) EnsureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	defer e.bomb.acted()
	return e.Engine.EnsureImage(ctx, image, progress)
}

func (e minedEngine) Create(ctx context.Context, spec container.Spec) (container.Container, error) {
	defer e.bomb.acted()
	return e.Engine.Create(ctx, spec)
}

func (e minedEngine) Start(ctx context.Context, id string) error {
	defer e.bomb.acted()
	return e.Engine.Start(ctx, id)
}

func (e minedEngine) Stop(ctx context.Context, id string, grace time.Duration) error {
	defer e.bomb.acted()
	return e.Engine.Stop(ctx, id, grace)
}

func (e minedEngine) Remove(ctx context.Context, id string) error {
	defer e.bomb.acted()
	return e.Engine.Remove(ctx, id)
}

type minedStore struct {
	*etcdstore.Store
	bomb *bomb
}

func (s minedStore) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	defer s.bomb.acted()
	return s.Store.Put(ctx, input)
}

func (s minedStore) Transition(ctx context.Context, input ports.TransitionInput) (runtime.VersionedRecord, error) {
	defer s.bomb.acted()
	return s.Store.Transition(ctx, input)
}

func (s minedStore) PutIntent(ctx context.Context, intent operation.Intent, replaces ports.IntentVersion, fences ...node.Fence) (ports.IntentVersion, error) {
	defer s.bomb.acted()
	return s.Store.PutIntent(ctx, intent, replaces, fences...)
}

// survived is what a victim prints whose bomb had more to wait for than it did.
const survived = "survived"

// runVictim carries out the orders in the environment.
func runVictim() error {
	var o orders
	if err := json.Unmarshal([]byte(os.Getenv(victimEnv)), &o); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*nodetest.Timeout)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{o.Etcd}, DialTimeout: nodetest.Timeout, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	store, err := etcdstore.Open(ctx, client, etcdstore.Options{Prefix: o.Prefix})
	if err != nil {
		return err
	}
	engine, err := o.Machine.open(ctx, store.ID())
	if err != nil {
		return err
	}
	registry := etcdmembers.New(client, etcdmembers.Options{Prefix: o.Prefix})
	member, err := registry.Join(ctx, node.Node{Region: "eu", Name: "n1", Identity: o.Identity})
	if err != nil {
		return err
	}
	b := &bomb{}
	b.left.Store(o.KillAfter)
	mined := minedStore{store, b}
	service, err := lifecycle.New(ctx, lifecycle.Dependencies{
		Records: mined, Intents: mined, Engine: minedEngine{engine, b}, Session: member, Nodes: registry, Prober: healthprobe.New(0),
	}, lifecycle.Config{Store: store.ID(), Region: "eu", Node: "n1", RetryTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	for _, request := range o.Before {
		if _, err := service.Execute(ctx, request, nil); err != nil {
			return fmt.Errorf("before: %w", err)
		}
	}
	b.armed.Store(true)
	for _, request := range o.Then {
		_, _ = service.Execute(ctx, request, nil) // how it ends is for the parent to see
	}
	b.armed.Store(false)
	fmt.Println(survived)
	return nil
}
