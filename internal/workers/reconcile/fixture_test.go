package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/fakeengine"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// fixture is a node with a real store, service and reconcile worker, a fake engine and a
// fake clock. The worker acts only in a pass that the test makes.
type fixture struct {
	node    *nodetest.Node
	machine *fakeengine.Machine
	owner   fakeengine.Owner
	now     atomic.Pointer[time.Time]
}

// images are the images of the fake engine.
var images = []string{"game:1.0.0", "game:1.0.1", "game:1.1.0", "game:2.0.0", "broken:1.0.1"}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureWith(t, func(engine ports.Engine) ports.Engine { return engine })
}

// newFixtureWith returns a fixture with a decorator of its engine.
func newFixtureWith(t *testing.T, wrap func(ports.Engine) ports.Engine) *fixture {
	t.Helper()
	f := &fixture{machine: fakeengine.New(images...)}
	f.machine.ExitOnStart("broken:1.0.1", 3)
	now := time.Now()
	f.now.Store(&now)
	f.node = nodetest.New(t, nodetest.Config{
		NewEngine: func(store string) ports.Engine {
			f.owner = fakeengine.Owner{Store: store, Region: "eu", Node: "n1"}
			return wrap(f.machine.Engine(f.owner))
		},
		Clock:     func() time.Time { return *f.now.Load() },
		MinUptime: time.Millisecond,
	})
	return f
}

// wait advances the clock.
func (f *fixture) wait(d time.Duration) {
	later := f.now.Load().Add(d)
	f.now.Store(&later)
}

func (f *fixture) pass(ctx context.Context) error { return f.node.Reconcile.PassAndHandle(ctx) }

// execute runs an operation.
func (f *fixture) execute(ctx context.Context, request ports.OperationRequest) error {
	_, err := f.node.Service.Execute(ctx, request, nil)
	return err
}

// spec returns a spec without a health check.
func spec(image string, attempts int, args ...string) *operation.Spec {
	return &operation.Spec{
		Image: image, Args: args, HealthPath: operation.NoHealthCheck, StopGrace: operation.Duration(10 * time.Millisecond),
		Crash: operation.CrashPolicy{Attempts: attempts, Delay: operation.Duration(time.Second)},
	}
}

// record returns the game's record and its revision, or nil if it has none.
func (f *fixture) record(ctx context.Context, gameID string) (*runtime.RuntimeRecord, int64, error) {
	found, err := f.node.Store.GetVersioned(ctx, gameID)
	if errors.Is(err, runtime.ErrNotFound) {
		return nil, 0, nil
	}
	return &found.Record, found.Revision, err
}

// containers returns all containers of the game.
func (f *fixture) containers(gameID string) (all []container.Container) {
	for _, c := range f.machine.All() {
		if c.Labels.GameID == gameID {
			all = append(all, c)
		}
	}
	return all
}

// live returns the running containers of the game.
func (f *fixture) live(gameID string) (running []container.Container) {
	for _, c := range f.containers(gameID) {
		if c.State == container.StateRunning {
			running = append(running, c)
		}
	}
	return running
}

// addContainer creates a container of the game without an operation, in the state.
func (f *fixture) addContainer(ctx context.Context, gameID string, generation int64, state container.State) error {
	c, err := f.node.Engine.Create(ctx, container.Spec{
		Name: fmt.Sprintf("external-%s-%d-%d", gameID, generation, len(f.machine.All())),
		Labels: container.Labels{
			Store: f.owner.Store, GameID: gameID, Region: f.owner.Region, Node: f.owner.Node,
			Image: images[0], Generation: generation, OperationID: "external",
		},
	})
	if err != nil || state == container.StateCreated {
		return err
	}
	if err := f.machine.StartExternally(c.ID); err != nil || state == container.StateRunning {
		return err
	}
	return f.machine.Exit(c.ID, 1)
}

// rewrite changes the game's record as another writer.
func (f *fixture) rewrite(ctx context.Context, gameID string, change func(r *runtime.RuntimeRecord)) error {
	record, _, err := f.record(ctx, gameID)
	if err != nil {
		return err
	}
	if record == nil {
		return fmt.Errorf("%q has no record", gameID)
	}
	change(record)
	return f.node.Store.Upsert(ctx, *record)
}

// actionable returns the findings on the game that propose an action.
func (f *fixture) actionable(gameID string) (findings []drift.Finding) {
	for _, finding := range f.node.Reconcile.Findings(gameID) {
		if finding.Action != drift.ActionNone {
			findings = append(findings, finding)
		}
	}
	return findings
}

// requireConsistent fails if a container other than the record's is running, or if the
// record does not match its running container.
func (f *fixture) requireConsistent(t require.TestingT, ctx context.Context, gameID string) {
	record, _, err := f.record(ctx, gameID)
	require.NoError(t, err)
	live := f.live(gameID)
	if record == nil || record.Status != runtime.StatusRunning {
		require.Empty(t, live, "a game whose record is not running (%v) has no live container", record)
		return
	}
	require.Len(t, live, 1, "a running game has one live container")
	require.Equal(t, record.CurrentContainerID, live[0].ID)
	require.Equal(t, record.CurrentImageRef, live[0].Image)
	require.Equal(t, record.EngineEndpoint, live[0].Endpoint)
}
