package cli_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// fakeManager is the manager of the served daemon. Operations succeed at once unless a
// test sets operate.
type fakeManager struct {
	operate func(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error)
	page    drift.Explanation
	report  drift.Report
	result  func(drift.Finding) drift.ApplyResult

	mu       sync.Mutex // guards what follows
	requests []ports.OperationRequest
	released int
	applier  string
}

func (r *fakeManager) Offer(context.Context, string, operation.Spec) (node.Offer, error) {
	return node.Offer{}, nil
}

func (r *fakeManager) Execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	r.mu.Lock()
	r.requests = append(r.requests, request)
	r.mu.Unlock()
	if r.operate != nil {
		return r.operate(ctx, request, report)
	}
	report(progressAt(request, operation.StepAccepted))
	return outcomeOf(request), nil
}

func (r *fakeManager) Explain(_ context.Context, gameID string) (drift.Explanation, error) {
	page := r.page
	page.GameID = gameID
	if page.Record == nil {
		record := localRecord(gameID)
		page.Record, page.Revision = &record, 7
	}
	return page, nil
}

func (r *fakeManager) Drift(context.Context) (drift.Report, error) { return r.report, nil }

func (r *fakeManager) ApplyDrift(_ context.Context, findings []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	r.mu.Lock()
	r.applier = actor
	r.mu.Unlock()
	var results []drift.ApplyResult
	for _, f := range findings {
		results = append(results, r.result(f))
	}
	return results, nil
}

func (r *fakeManager) ReleaseBrake(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.released++
	return nil
}

// localRecord returns the record of a running game of the served node.
func localRecord(id string) runtime.RuntimeRecord {
	record := runningRecord(id)
	record.Region, record.Node = "eu", "n1"
	return record
}

func progressAt(request ports.OperationRequest, step operation.Step) operation.Progress {
	p := operation.Progress{OperationID: request.Origin.OperationID, Kind: request.Kind, GameID: request.GameID, Step: step, At: noon}
	if step == operation.StepAwaitingHealth {
		record := localRecord(request.GameID)
		p.Record, p.Revision = &record, 6
	}
	return p
}

func outcomeOf(request ports.OperationRequest) operation.Outcome {
	record := localRecord(request.GameID)
	switch request.Kind {
	case operation.KindStop:
		record.Status, record.StoppedAt = runtime.StatusStopped, &noon
	case operation.KindCleanup:
		record.Status, record.RemovedAt, record.CurrentContainerID = runtime.StatusRemoved, &noon, ""
	default: // running
	}
	return operation.Outcome{OperationID: request.Origin.OperationID, Kind: request.Kind, StartedAt: noon, FinishedAt: noon, Record: &record, Revision: 7}
}

// fixedNodes is a registry that does not change.
type fixedNodes []node.Node

func (n fixedNodes) Nodes(context.Context) ([]node.Node, error) { return n, nil }

func (n fixedNodes) Overview(context.Context) (node.Overview, error) {
	return node.Overview{Present: n, Leaders: []node.Leader{{Scope: "eu", Region: "eu", Node: "n1"}}}, nil
}

func (fixedNodes) AwaitAbsence(ctx context.Context, _ node.Node) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (fixedNodes) SetLost(context.Context, node.Ref, time.Time) error { return nil }

func (fixedNodes) RemoveNode(context.Context, node.Ref) error { return nil }

// testNodes returns the served node, which is the leader, and one more node.
func testNodes() fixedNodes {
	node := func(name, kind string) node.Node {
		return node.Node{
			Region: "eu", Name: name, API: "http://127.0.0.1:1", Version: "1.2.3", Engine: container.EngineKind(kind),
			Instance: name + "-1", Identity: name, StartedAt: noon, Session: 5,
		}
	}
	return fixedNodes{node("n1", "process"), node("n2", "docker")}
}

// serveManager serves the daemon eu/n1 with the manager.
func serveManager(t *testing.T, r *fakeManager, records ...runtime.RuntimeRecord) (server string) {
	t.Helper()
	store := memstore.New()
	for _, record := range records {
		require.NoError(t, store.Upsert(t.Context(), record))
	}
	daemon, _, err := servertest.New(store, servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n1"}, Local: r, Nodes: testNodes()[:1]})
	require.NoError(t, err)
	return serveHandler(t, daemon.Handler())
}

// onlyRequest returns the only request of the manager.
func (r *fakeManager) onlyRequest(t *testing.T) ports.OperationRequest {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Len(t, r.requests, 1)
	return r.requests[0]
}
