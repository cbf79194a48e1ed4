package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// maxPasses is how many passes, some seconds apart, any mess has to be in order after.
const maxPasses = 12

// jealous looks on whenever a container is started, and notes where another one of the
// game lives then.
type jealous struct {
	ports.Engine

	mu     sync.Mutex
	crowds []string // guarded by mu
}

func (j *jealous) Start(ctx context.Context, id string) error {
	before, err := j.Inspect(ctx, id)
	if err != nil || before.State == container.StateRunning {
		return errors.Join(err, j.Engine.Start(ctx, id))
	}
	if err := j.Engine.Start(ctx, id); err != nil {
		return err
	}
	all, err := j.List(ctx, before.Labels.GameID)
	for _, c := range all {
		if c.ID != id && c.State == container.StateRunning {
			j.mu.Lock()
			j.crowds = append(j.crowds, fmt.Sprintf("%s was started while %s lived", id, c.ID))
			j.mu.Unlock()
		}
	}
	return err
}

func (j *jealous) seen() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.crowds)
}

// From any mix of records and containers, passes reach a state in which nothing is
// left to do, and stay there. On the way no act makes a second live container, not even
// for a moment.
func TestPassesReachAStateWithoutDrift(t *testing.T) {
	t.Parallel()
	witness := &jealous{}
	s := newStageBehind(t, func(truthful ports.Engine) ports.Engine { witness.Engine = truthful; return witness })
	ctx := t.Context()
	number := 0
	rapid.Check(t, func(t *rapid.T) {
		number++
		m := &mess{stage: s, ctx: ctx, gameID: fmt.Sprintf("game-%d", number), planted: map[string]bool{}}
		for range rapid.IntRange(1, 12).Draw(t, "acts") {
			m.act(t)
			m.requireOneOfOurs(t)
		}
		m.requireSettles(t)
		require.Empty(t, witness.seen())
	})
}

// mess is one game that operations and mishaps happen to.
type mess struct {
	*stage
	ctx     context.Context
	gameID  string
	planted map[string]bool // containers that run by no operation of ours
}

// act lets one thing happen. What is refused has not happened, which is fine.
func (m *mess) act(t *rapid.T) {
	what := rapid.SampledFrom([]string{
		"start", "start", "stop", "restart", "patch", "cleanup", "exit", "lose", "revive", "plant", "rewrite", "pass", "wait",
	}).Draw(t, "what")
	switch what {
	case "start":
		_ = m.operate(m.ctx, ports.OperationRequest{
			GameID: m.gameID, Kind: operation.KindStart,
			Spec: spec(rapid.SampledFrom(games).Draw(t, "image"), rapid.IntRange(0, 2).Draw(t, "attempts")),
		})
	case "stop", "restart", "cleanup":
		_ = m.operate(m.ctx, ports.OperationRequest{GameID: m.gameID, Kind: operation.Kind(what)})
	case "patch":
		_ = m.operate(m.ctx, ports.OperationRequest{
			GameID: m.gameID, Kind: operation.KindPatch, Image: rapid.SampledFrom(games).Draw(t, "image"), Force: true,
		})
	case "plant":
		m.plantOne(t)
	case "rewrite":
		m.rewriteOne(t)
	case "pass":
		require.NoError(t, m.pass(m.ctx))
	case "wait":
		m.wait(time.Duration(rapid.IntRange(1, 600).Draw(t, "seconds")) * time.Second)
	default:
		m.mishap(t, what)
	}
}

// mishap happens to one of the game's containers.
func (m *mess) mishap(t *rapid.T, what string) {
	all := m.containers(m.gameID)
	if len(all) == 0 {
		return
	}
	c := rapid.SampledFrom(all).Draw(t, "container")
	switch what {
	case "exit":
		_ = m.machine.Exit(c.ID, rapid.SampledFrom([]int{0, 1, 137}).Draw(t, "code"))
	case "lose":
		m.machine.RemoveExternally(c.ID)
	case "revive":
		require.NoError(t, m.machine.StartExternally(c.ID))
		m.planted[c.ID] = true
	}
}

func (m *mess) plantOne(t *rapid.T) {
	state := rapid.SampledFrom([]container.State{container.StateCreated, container.StateRunning, container.StateExited}).Draw(t, "state")
	require.NoError(t, m.plant(m.ctx, m.gameID, rapid.Int64Range(0, 8).Draw(t, "generation"), state))
	all := m.containers(m.gameID)
	m.planted[all[len(all)-1].ID] = true
}

func (m *mess) rewriteOne(t *rapid.T) {
	record, _, err := m.record(m.ctx, m.gameID)
	require.NoError(t, err)
	if record == nil || record.Status == runtime.StatusRemoved {
		return
	}
	require.NoError(t, m.rewrite(m.ctx, m.gameID, func(r *runtime.RuntimeRecord) {
		switch rapid.SampledFrom([]string{"image", "endpoint", "container"}).Draw(t, "field") {
		case "image":
			r.CurrentImageRef = "game:9.9.9"
		case "endpoint":
			r.EngineEndpoint = "http://192.0.2.9:1"
		case "container":
			r.CurrentContainerID = "elsewhere"
		}
	}))
}

// requireOneOfOurs fails where operations have made more than one live container.
func (m *mess) requireOneOfOurs(t *rapid.T) {
	ours := 0
	for _, c := range m.live(m.gameID) {
		if !m.planted[c.ID] {
			ours++
		}
	}
	require.LessOrEqual(t, ours, 1, "live containers made by operations: %+v", m.live(m.gameID))
}

// requireSettles fails unless passes come to an end with a true record, and further
// ones change nothing.
func (m *mess) requireSettles(t *rapid.T) {
	for passes := 1; ; passes++ {
		m.settleOnce(t)
		if len(m.open(m.gameID)) == 0 {
			break
		}
		require.Less(t, passes, maxPasses, "still to do: %+v", m.open(m.gameID))
	}
	m.requireTrue(t, m.ctx, m.gameID)
	_, revision, err := m.record(m.ctx, m.gameID)
	require.NoError(t, err)
	before := m.containers(m.gameID)
	for range 2 {
		m.settleOnce(t)
		_, after, err := m.record(m.ctx, m.gameID)
		require.NoError(t, err)
		require.Equal(t, revision, after, "a settled game's record is left alone")
		require.Equal(t, before, m.containers(m.gameID), "and so are its containers")
	}
}

// settleOnce makes a pass, some seconds after the one before, and another look at
// what that left. Where so much went wrong that the brake is on, somebody releases it.
func (m *mess) settleOnce(t *rapid.T) {
	if m.node.Reconcile.Brake() != nil {
		require.NoError(t, m.node.Reconcile.ReleaseBrake())
	}
	m.wait(3 * time.Second)
	require.NoError(t, m.pass(m.ctx))
	_, err := m.node.Reconcile.Pass(m.ctx)
	require.NoError(t, err)
}
