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

// maxPasses is the maximum number of passes, some seconds apart, until a game has no
// actionable finding.
const maxPasses = 12

// duplicateDetector is an engine that records each start of a container while another
// container of the game is running.
type duplicateDetector struct {
	ports.Engine

	mu         sync.Mutex
	duplicates []string // guarded by mu
}

func (d *duplicateDetector) Start(ctx context.Context, id string) error {
	before, err := d.Inspect(ctx, id)
	if err != nil || before.State == container.StateRunning {
		return errors.Join(err, d.Engine.Start(ctx, id))
	}
	if err := d.Engine.Start(ctx, id); err != nil {
		return err
	}
	all, err := d.List(ctx, before.Labels.GameID)
	for _, c := range all {
		if c.ID != id && c.State == container.StateRunning {
			d.mu.Lock()
			d.duplicates = append(d.duplicates, fmt.Sprintf("%s was started while %s was running", id, c.ID))
			d.mu.Unlock()
		}
	}
	return err
}

func (d *duplicateDetector) found() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.duplicates)
}

// From any mix of records and containers, passes reach a state without actionable
// findings, and keep it. No action starts a second live container, not even briefly.
func TestPassesReachAStateWithoutDrift(t *testing.T) {
	t.Parallel()
	detector := &duplicateDetector{}
	f := newFixtureWith(t, func(base ports.Engine) ports.Engine { detector.Engine = base; return detector })
	ctx := t.Context()
	number := 0
	rapid.Check(t, func(t *rapid.T) {
		number++
		m := &model{fixture: f, ctx: ctx, gameID: fmt.Sprintf("game-%d", number), external: map[string]bool{}}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			m.step(t)
			m.requireOneOwned(t)
		}
		m.requireConverges(t)
		require.Empty(t, detector.found())
	})
}

// model is one game under random operations and faults.
type model struct {
	*fixture
	ctx      context.Context
	gameID   string
	external map[string]bool // containers that no operation started
}

// step makes one random change. An operation that is rejected changes nothing.
func (m *model) step(t *rapid.T) {
	kind := rapid.SampledFrom([]string{
		"start", "start", "stop", "restart", "patch", "cleanup", "exit", "remove", "start externally", "add container", "rewrite", "pass", "wait",
	}).Draw(t, "kind")
	switch kind {
	case "start":
		_ = m.execute(m.ctx, ports.OperationRequest{
			GameID: m.gameID, Kind: operation.KindStart,
			Spec: spec(rapid.SampledFrom(images).Draw(t, "image"), rapid.IntRange(0, 2).Draw(t, "attempts")),
		})
	case "stop", "restart", "cleanup":
		_ = m.execute(m.ctx, ports.OperationRequest{GameID: m.gameID, Kind: operation.Kind(kind)})
	case "patch":
		_ = m.execute(m.ctx, ports.OperationRequest{
			GameID: m.gameID, Kind: operation.KindPatch, Image: rapid.SampledFrom(images).Draw(t, "image"), Force: true,
		})
	case "add container":
		m.addRandomContainer(t)
	case "rewrite":
		m.rewriteRandomField(t)
	case "pass":
		require.NoError(t, m.pass(m.ctx))
	case "wait":
		m.wait(time.Duration(rapid.IntRange(1, 600).Draw(t, "seconds")) * time.Second)
	default:
		m.injectFault(t, kind)
	}
}

// injectFault changes one of the game's containers without an operation.
func (m *model) injectFault(t *rapid.T, kind string) {
	all := m.containers(m.gameID)
	if len(all) == 0 {
		return
	}
	c := rapid.SampledFrom(all).Draw(t, "container")
	switch kind {
	case "exit":
		_ = m.machine.Exit(c.ID, rapid.SampledFrom([]int{0, 1, 137}).Draw(t, "code"))
	case "remove":
		m.machine.RemoveExternally(c.ID)
	case "start externally":
		require.NoError(t, m.machine.StartExternally(c.ID))
		m.external[c.ID] = true
	}
}

func (m *model) addRandomContainer(t *rapid.T) {
	state := rapid.SampledFrom([]container.State{container.StateCreated, container.StateRunning, container.StateExited}).Draw(t, "state")
	require.NoError(t, m.addContainer(m.ctx, m.gameID, rapid.Int64Range(0, 8).Draw(t, "generation"), state))
	all := m.containers(m.gameID)
	m.external[all[len(all)-1].ID] = true
}

func (m *model) rewriteRandomField(t *rapid.T) {
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
			r.CurrentContainerID = "other"
		}
	}))
}

// requireOneOwned fails if operations have started more than one live container.
func (m *model) requireOneOwned(t *rapid.T) {
	owned := 0
	for _, c := range m.live(m.gameID) {
		if !m.external[c.ID] {
			owned++
		}
	}
	require.LessOrEqual(t, owned, 1, "live containers started by operations: %+v", m.live(m.gameID))
}

// requireConverges fails unless passes reach a consistent record, and further passes
// change nothing.
func (m *model) requireConverges(t *rapid.T) {
	for passes := 1; ; passes++ {
		m.passTwice(t)
		if len(m.actionable(m.gameID)) == 0 {
			break
		}
		require.Less(t, passes, maxPasses, "actionable findings: %+v", m.actionable(m.gameID))
	}
	m.passTwice(t) // the condition of the record follows the last action
	m.requireConsistent(t, m.ctx, m.gameID)
	_, revision, err := m.record(m.ctx, m.gameID)
	require.NoError(t, err)
	before := m.containers(m.gameID)
	for range 2 {
		m.passTwice(t)
		_, after, err := m.record(m.ctx, m.gameID)
		require.NoError(t, err)
		require.Equal(t, revision, after, "the record of a consistent game does not change")
		require.Equal(t, before, m.containers(m.gameID), "its containers do not change")
	}
}

// passTwice advances the clock, makes a pass, and observes the result. It releases the
// brake if it is engaged, as an operator does.
func (m *model) passTwice(t *rapid.T) {
	if m.node.Reconcile.Brake() != nil {
		require.NoError(t, m.node.Reconcile.ReleaseBrake())
	}
	m.wait(3 * time.Second)
	require.NoError(t, m.pass(m.ctx))
	_, err := m.node.Reconcile.Pass(m.ctx)
	require.NoError(t, err)
}
