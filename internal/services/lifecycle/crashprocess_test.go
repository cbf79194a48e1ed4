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
	"galaxy/rtmanager/internal/adapters/etcdreservations"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/healthprobe"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/lifecycle"
	"galaxy/rtmanager/internal/services/placement"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// crashPlanEnv holds the plan of a crash process: this test binary, run as a daemon that
// kills itself.
const crashPlanEnv = "RTMANAGER_TEST_CRASH_PLAN"

// crashPlan specifies a crash process: it runs Setup without a crash, and then Operations
// until CrashAfter side effects have occurred.
type crashPlan struct {
	Etcd, Prefix, Identity string
	Machine                machine
	Setup, Operations      []ports.OperationRequest
	CrashAfter             int64
	LeaseTTL               time.Duration // 0 is the default
	FailStarts             bool          // the engine starts nothing, as unableMachine
}

// crashPoint kills this process with SIGKILL after a number of side effects.
type crashPoint struct {
	remaining atomic.Int64
	enabled   atomic.Bool
}

func (c *crashPoint) acted() {
	if c.enabled.Load() && c.remaining.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the next instruction must not be reached
	}
}

// crashingEngine and crashingStore are decorators with a crash point after every side
// effect: a change by the engine, or a write.
type crashingEngine struct {
	ports.Engine
	point *crashPoint
}

func (e crashingEngine) EnsureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	defer e.point.acted()
	return e.Engine.EnsureImage(ctx, image, progress)
}

func (e crashingEngine) Create(ctx context.Context, spec container.Spec) (container.Container, error) {
	defer e.point.acted()
	return e.Engine.Create(ctx, spec)
}

func (e crashingEngine) Start(ctx context.Context, id string) error {
	defer e.point.acted()
	return e.Engine.Start(ctx, id)
}

func (e crashingEngine) Stop(ctx context.Context, id string, grace time.Duration) error {
	defer e.point.acted()
	return e.Engine.Stop(ctx, id, grace)
}

func (e crashingEngine) Remove(ctx context.Context, id string) error {
	defer e.point.acted()
	return e.Engine.Remove(ctx, id)
}

type crashingStore struct {
	*etcdstore.Store
	point *crashPoint
}

func (s crashingStore) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	defer s.point.acted()
	return s.Store.Put(ctx, input)
}

func (s crashingStore) Transition(ctx context.Context, input ports.TransitionInput) (runtime.VersionedRecord, error) {
	defer s.point.acted()
	return s.Store.Transition(ctx, input)
}

func (s crashingStore) PutIntent(ctx context.Context, intent operation.Intent, replaces ports.IntentVersion, fences ...node.Fence) (ports.IntentVersion, error) {
	defer s.point.acted()
	return s.Store.PutIntent(ctx, intent, replaces, fences...)
}

// completedText is the output of a crash process that completed its operations.
const completedText = "completed"

// runCrashProcess runs the plan in the environment.
func runCrashProcess() error {
	var p crashPlan
	if err := json.Unmarshal([]byte(os.Getenv(crashPlanEnv)), &p); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*nodetest.Timeout)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{p.Etcd}, DialTimeout: nodetest.Timeout, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	store, err := etcdstore.Open(ctx, client, etcdstore.Options{Prefix: p.Prefix})
	if err != nil {
		return err
	}
	engine, err := p.Machine.open(ctx, store.ID())
	if err != nil {
		return err
	}
	registry := etcdmembers.New(client, etcdmembers.Options{Prefix: p.Prefix, LeaseTTL: p.LeaseTTL})
	member, err := registry.Join(ctx, node.Node{Region: "eu", Name: "n1", Identity: p.Identity, Engine: engine.Kind()})
	if err != nil {
		return err
	}
	point := &crashPoint{}
	point.remaining.Store(p.CrashAfter)
	crashing := crashingStore{store, point}
	machine := ports.Engine(engine)
	if p.FailStarts {
		machine = unableMachine{engine}
	}
	scheduler := placement.NewScheduler(placement.Dependencies{
		Records: store, Operations: store, Reservations: etcdreservations.New(client, etcdreservations.Options{Prefix: p.Prefix}),
	})
	service, err := lifecycle.New(ctx, lifecycle.Dependencies{
		Records: crashing, Intents: crashing, Engine: crashingEngine{machine, point}, Session: member, Nodes: registry, Prober: healthprobe.New(0),
		Placer: &placement.Placer{Scheduler: scheduler, Nodes: registry},
	}, lifecycle.Config{Store: store.ID(), Region: "eu", Node: "n1", RetryTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	for _, request := range p.Setup {
		if _, err := service.Execute(ctx, request, nil); err != nil {
			return fmt.Errorf("setup: %w", err)
		}
	}
	point.enabled.Store(true)
	for _, request := range p.Operations {
		_, _ = service.Execute(ctx, request, nil) // the parent checks the result
	}
	point.enabled.Store(false)
	fmt.Println(completedText)
	return nil
}
