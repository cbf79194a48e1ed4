package cluster_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/cluster"
	"galaxy/rtmanager/internal/testkit/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// fakeLocal is the local node of the service.
type fakeLocal struct {
	drift    drift.Report
	driftErr error
	explain  drift.Explanation
	applied  []drift.Finding
	offer    node.Offer
	offerErr error
}

func (l *fakeLocal) Offer(context.Context, string, operation.Spec) (node.Offer, error) {
	return l.offer, l.offerErr
}

func (l *fakeLocal) Execute(_ context.Context, request ports.OperationRequest, _ func(operation.Progress)) (operation.Outcome, error) {
	return operation.Outcome{OperationID: request.Origin.OperationID, Kind: request.Kind}, nil
}

func (l *fakeLocal) Explain(_ context.Context, gameID string) (drift.Explanation, error) {
	explanation := l.explain
	explanation.GameID = gameID
	return explanation, nil
}

func (l *fakeLocal) Drift(context.Context) (drift.Report, error) { return l.drift, l.driftErr }

func (l *fakeLocal) ApplyDrift(_ context.Context, findings []drift.Finding, _ string) ([]drift.ApplyResult, error) {
	l.applied = append(l.applied, findings...)
	results := make([]drift.ApplyResult, len(findings))
	for i, f := range findings {
		results[i] = drift.ApplyResult{ID: f.ID, GameID: f.GameID, Region: f.Region, Node: f.Node, Action: f.Action, Status: drift.ApplyDone}
	}
	return results, nil
}

func (l *fakeLocal) ReleaseBrake(context.Context) error { return nil }

// fakePeer calls the local nodes of other daemons directly. A node without one is
// unreachable.
type fakePeer struct{ nodes map[string]*fakeLocal }

func (p fakePeer) find(target node.Node) (*fakeLocal, error) {
	local := p.nodes[target.Name]
	if local == nil {
		return nil, &node.UnreachableError{Node: target.Ref(), Network: true, Reason: "does not respond"}
	}
	return local, nil
}

func (p fakePeer) Offer(ctx context.Context, target node.Node, gameID string, spec operation.Spec) (node.Offer, error) {
	local, err := p.find(target)
	if err != nil {
		return node.Offer{}, err
	}
	return local.Offer(ctx, gameID, spec)
}

func (p fakePeer) Explain(ctx context.Context, target node.Node, gameID string) (drift.Explanation, error) {
	local, err := p.find(target)
	if err != nil {
		return drift.Explanation{}, err
	}
	return local.Explain(ctx, gameID)
}

func (p fakePeer) Drift(ctx context.Context, target node.Node) (drift.Report, error) {
	local, err := p.find(target)
	if err != nil {
		return drift.Report{}, err
	}
	return local.Drift(ctx)
}

func (p fakePeer) ApplyDrift(ctx context.Context, target node.Node, findings []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	local, err := p.find(target)
	if err != nil {
		return nil, err
	}
	return local.ApplyDrift(ctx, findings, actor)
}

func (p fakePeer) Patch(ctx context.Context, target node.Node, request ports.OperationRequest) (operation.Outcome, error) {
	local, err := p.find(target)
	if err != nil {
		return operation.Outcome{}, err
	}
	return local.Execute(ctx, request, nil)
}

func (p fakePeer) ReleaseBrake(ctx context.Context, target node.Node) error {
	local, err := p.find(target)
	if err != nil {
		return err
	}
	return local.ReleaseBrake(ctx)
}

func (p fakePeer) Operate(ctx context.Context, target node.Node, request ports.OperationRequest) error {
	local, err := p.find(target)
	if err != nil {
		return err
	}
	_, err = local.Execute(ctx, request, nil)
	return err
}

// fakeRegistry is a registry of nodes that the test defines.
type fakeRegistry struct {
	mu      sync.Mutex // guards nodes and changed
	nodes   []node.Node
	changed chan struct{} // closed by set

	absent   []node.Absent
	removed  []node.Ref
	requests atomic.Int64 // calls of Overview
}

func (r *fakeRegistry) Nodes(context.Context) ([]node.Node, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nodes, nil
}

func (r *fakeRegistry) set(nodes ...node.Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes = nodes
	if r.changed != nil {
		close(r.changed)
	}
	r.changed = make(chan struct{})
}

func (r *fakeRegistry) Overview(ctx context.Context) (node.Overview, error) {
	r.requests.Add(1)
	present, err := r.Nodes(ctx)
	return node.Overview{Present: present, Absent: r.absent, Leaders: []node.Leader{{Scope: "eu", Region: "eu", Node: "n2"}}}, err
}

func (r *fakeRegistry) AwaitAbsence(ctx context.Context, n node.Node) error {
	for ctx.Err() == nil {
		r.mu.Lock()
		_, isPresent := node.Find(r.nodes, n.Ref())
		changed := r.changed
		r.mu.Unlock()
		if !isPresent {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

func (r *fakeRegistry) SetLost(context.Context, node.Ref, time.Time) error { return nil }

func (r *fakeRegistry) RemoveNode(_ context.Context, ref node.Ref) error {
	r.removed = append(r.removed, ref)
	return nil
}

// fixture is the service of eu/n1, in a cluster with eu/n2 and us/u1, whose engines run
// games, and eu/bare, which runs none.
type fixture struct {
	*cluster.Service
	store    *memstore.Store
	registry *fakeRegistry
	local    *fakeLocal
	peer     fakePeer
}

func engineNode(region, name string) node.Node {
	return node.Node{Region: region, Name: name, Engine: "fake"}
}

// newFixture returns a fixture, without a local engine if local is nil.
func newFixture(local *fakeLocal) *fixture {
	f := &fixture{
		store: memstore.New(), registry: &fakeRegistry{}, local: local,
		peer: fakePeer{map[string]*fakeLocal{"n2": {}, "u1": {}}},
	}
	f.registry.set(node.Node{Region: "eu", Name: "bare"}, engineNode("eu", "n2"), engineNode("us", "u1"))
	deps := cluster.Dependencies{Records: f.store, Intents: f.store, Nodes: f.registry, Peer: f.peer}
	if local != nil {
		f.registry.set(node.Node{Region: "eu", Name: "bare"}, engineNode("eu", "n1"), engineNode("eu", "n2"), engineNode("us", "u1"))
		deps.Local = local
	}
	f.Service = cluster.New(deps, cluster.Config{Region: "eu", Node: "n1"})
	return f
}

// put stores a running game of the node, or a removed one.
func (f *fixture) put(t *testing.T, gameID, region, name string, status runtime.Status) {
	t.Helper()
	record := runtime.RuntimeRecord{
		GameID: gameID, Status: status, Region: region, Node: name, CurrentContainerID: "c", CreatedAt: noon, LastOpAt: noon, StartedAt: &noon,
	}
	if status == runtime.StatusRemoved {
		record.CurrentContainerID, record.RemovedAt = "", &noon
	}
	require.NoError(t, f.store.Upsert(t.Context(), record))
}
