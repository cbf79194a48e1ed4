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

// stage is a node whose store, services and worker are real, and whose engine does
// what it is told. Its clock stands still until it is moved, and its worker acts
// only in a pass that is asked for.
type stage struct {
	node    *nodetest.Node
	machine *fakeengine.Machine
	owner   fakeengine.Owner
	now     atomic.Pointer[time.Time]
}

// games are the images that a stage has.
var games = []string{"game:1.0.0", "game:1.0.1", "game:1.1.0", "game:2.0.0", "broken:1.0.1"}

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageBehind(t, func(engine ports.Engine) ports.Engine { return engine })
}

// newStageBehind puts something between the node and the machine.
func newStageBehind(t *testing.T, wrap func(ports.Engine) ports.Engine) *stage {
	t.Helper()
	s := &stage{machine: fakeengine.New(games...)}
	s.machine.ExitOnStart("broken:1.0.1", 3)
	now := time.Now()
	s.now.Store(&now)
	s.node = nodetest.New(t, nodetest.Config{
		NewEngine: func(store string) ports.Engine {
			s.owner = fakeengine.Owner{Store: store, Region: "eu", Node: "n1"}
			return wrap(s.machine.Engine(s.owner))
		},
		Clock:     func() time.Time { return *s.now.Load() },
		MinUptime: time.Millisecond,
	})
	return s
}

// wait moves the clock.
func (s *stage) wait(d time.Duration) {
	later := s.now.Load().Add(d)
	s.now.Store(&later)
}

func (s *stage) pass(ctx context.Context) error { return s.node.Reconcile.PassAndDeal(ctx) }

// operate carries out an operation of the node.
func (s *stage) operate(ctx context.Context, request ports.OperationRequest) error {
	_, err := s.node.Service.Execute(ctx, request, nil)
	return err
}

// spec is what a game is run as: nothing answers for its health.
func spec(image string, attempts int, args ...string) *operation.Spec {
	return &operation.Spec{
		Image: image, Args: args, HealthPath: operation.NoHealthCheck, StopGrace: operation.Duration(10 * time.Millisecond),
		Crash: operation.CrashPolicy{Attempts: attempts, Delay: operation.Duration(time.Second)},
	}
}

// record returns the game's record and its revision, or nil where there is none.
func (s *stage) record(ctx context.Context, gameID string) (*runtime.RuntimeRecord, int64, error) {
	found, err := s.node.Store.GetVersioned(ctx, gameID)
	if errors.Is(err, runtime.ErrNotFound) {
		return nil, 0, nil
	}
	return &found.Record, found.Revision, err
}

// containers are all that the machine has of the game.
func (s *stage) containers(gameID string) (all []container.Container) {
	for _, c := range s.machine.All() {
		if c.Labels.GameID == gameID {
			all = append(all, c)
		}
	}
	return all
}

// live are those of them that run.
func (s *stage) live(gameID string) (running []container.Container) {
	for _, c := range s.containers(gameID) {
		if c.State == container.StateRunning {
			running = append(running, c)
		}
	}
	return running
}

// plant makes a container of the game that no operation asked for, in the state.
func (s *stage) plant(ctx context.Context, gameID string, generation int64, state container.State) error {
	c, err := s.node.Engine.Create(ctx, container.Spec{
		Name: fmt.Sprintf("planted-%s-%d-%d", gameID, generation, len(s.machine.All())),
		Labels: container.Labels{
			Store: s.owner.Store, GameID: gameID, Region: s.owner.Region, Node: s.owner.Node,
			Image: games[0], Generation: generation, OperationID: "planted",
		},
	})
	if err != nil || state == container.StateCreated {
		return err
	}
	if err := s.machine.StartExternally(c.ID); err != nil || state == container.StateRunning {
		return err
	}
	return s.machine.Exit(c.ID, 1)
}

// rewrite changes the game's record behind everybody's back.
func (s *stage) rewrite(ctx context.Context, gameID string, change func(r *runtime.RuntimeRecord)) error {
	record, _, err := s.record(ctx, gameID)
	if err != nil {
		return err
	}
	if record == nil {
		return fmt.Errorf("%q has no record", gameID)
	}
	change(record)
	return s.node.Store.Upsert(ctx, *record)
}

// open are the findings on the game that propose something.
func (s *stage) open(gameID string) (open []drift.Finding) {
	for _, f := range s.node.Reconcile.Findings(gameID) {
		if f.Action != drift.ActionNone {
			open = append(open, f)
		}
	}
	return open
}

// requireTrue fails where more than the recorded container could write, or a
// record that says running is not true.
func (s *stage) requireTrue(t require.TestingT, ctx context.Context, gameID string) {
	record, _, err := s.record(ctx, gameID)
	require.NoError(t, err)
	live := s.live(gameID)
	if record == nil || record.Status != runtime.StatusRunning {
		require.Empty(t, live, "a game that does not run by its record (%v) has no live container", record)
		return
	}
	require.Len(t, live, 1, "a running game has one live container")
	require.Equal(t, record.CurrentContainerID, live[0].ID)
	require.Equal(t, record.CurrentImageRef, live[0].Image)
	require.Equal(t, record.EngineEndpoint, live[0].Endpoint)
}
