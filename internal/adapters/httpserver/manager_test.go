package httpserver_test

import (
	"context"
	"fmt"
	"slices"
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
	"galaxy/rtmanager/internal/services/cluster"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// manager plays the part of a daemon that runs games: its steps are the test's.
type manager struct {
	// operate, where it is set, is Execute; otherwise every operation succeeds at once.
	operate func(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error)
	// page and fault are what Explain returns.
	page  drift.Explanation
	fault error
	// report is what Drift returns, after drift where that is set; apply what ApplyDrift does.
	report drift.Report
	drift  func(ctx context.Context) error
	apply  func([]drift.Finding) ([]drift.ApplyResult, error)
	brake  error

	mu       sync.Mutex // guards what follows
	requests []ports.OperationRequest
	appliers []string // who has asked for ApplyDrift
}

var _ cluster.LocalNode = (*manager)(nil)

func (m *manager) Execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	m.mu.Lock()
	m.requests = append(m.requests, request)
	m.mu.Unlock()
	if m.operate == nil {
		return done(request), nil
	}
	return m.operate(ctx, request, report)
}

// asked returns the only request there was.
func (m *manager) asked(t testing.TB) ports.OperationRequest {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Len(t, m.requests, 1, "requests that came to the manager")
	return m.requests[0]
}

func (m *manager) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.requests)
}

func (m *manager) Explain(_ context.Context, gameID string) (drift.Explanation, error) {
	page := m.page
	page.GameID = gameID
	return page, m.fault
}

func (m *manager) Drift(ctx context.Context) (drift.Report, error) {
	if m.drift != nil {
		if err := m.drift(ctx); err != nil {
			return drift.Report{}, err
		}
	}
	return m.report, nil
}

func (m *manager) ApplyDrift(_ context.Context, findings []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	m.mu.Lock()
	m.appliers = append(m.appliers, actor)
	m.mu.Unlock()
	return m.apply(findings)
}

func (m *manager) ReleaseBrake(context.Context) error { return m.brake }

// done is the outcome of an operation that succeeded at once.
func done(request ports.OperationRequest) operation.Outcome {
	record := recordOf(request.GameID)
	return operation.Outcome{
		OperationID: request.Origin.OperationID, Kind: request.Kind, Actor: request.Origin.Actor,
		StartedAt: noon, FinishedAt: noon.Add(time.Second), Record: &record, Revision: 7,
	}
}

// failedBy is the outcome of one that failed.
func failedBy(request ports.OperationRequest, code operation.FailureCode) operation.Outcome {
	outcome := done(request)
	outcome.Failure = &operation.Failure{Code: code, Message: "it was " + string(code)}
	return outcome
}

// at is progress of the request.
func atStep(request ports.OperationRequest, step operation.Step) operation.Progress {
	p := operation.Progress{OperationID: request.Origin.OperationID, Kind: request.Kind, GameID: request.GameID, Step: step, At: noon}
	if step == operation.StepAwaitingHealth {
		record := recordOf(request.GameID)
		p.Record, p.Revision = &record, 6
	}
	return p
}

// slow is an operation that comes to the steps and then goes on until it is told
// to end, or its caller leaves it.
func slow(end <-chan struct{}, steps ...operation.Step) func(context.Context, ports.OperationRequest, func(operation.Progress)) (operation.Outcome, error) {
	return func(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
		for _, step := range steps {
			report(atStep(request, step))
		}
		select {
		case <-end:
			return done(request), nil
		case <-ctx.Done():
			return operation.Outcome{}, ctx.Err()
		}
	}
}

// register is the nodes that are present, as a test has them.
type register struct {
	mu      sync.Mutex // guards nodes
	nodes   []node.Node
	leaders map[string]node.Leader
	err     error
}

func (r *register) Nodes(context.Context) ([]node.Node, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.nodes), r.err
}

func (r *register) Leader(_ context.Context, scope string) (node.Leader, bool, error) {
	leader, found := r.leaders[scope]
	return leader, found, r.err
}

// join adds a node with an engine at the address.
func (r *register) join(region, name, api string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes = append(r.nodes, node.Node{
		Region: region, Name: name, API: api, Version: "1", Instance: name + "-1", Identity: name, StartedAt: noon, Now: noon, Session: 1,
		Engine: container.EngineKindProcess,
	})
}

func (r *register) leave(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes = slices.DeleteFunc(r.nodes, func(n node.Node) bool { return n.Name == name })
}

// here is the settings of the node eu/n1, which recordOf's games live on.
func here(m cluster.LocalNode) servertest.Config {
	return servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n1"}, Local: m}
}

// recordOn is a running game of another node.
func recordOn(id, region, node string) runtime.RuntimeRecord {
	record := recordOf(id)
	record.Region, record.Node = region, node
	return record
}

func opPath(id string, kind operation.Kind) string {
	return fmt.Sprintf("/v1/runtimes/%s/%s", id, kind)
}

var kinds = []operation.Kind{operation.KindStart, operation.KindStop, operation.KindRestart, operation.KindPatch, operation.KindCleanup}

// soundBody is a body that the kind of operation takes.
func soundBody(kind operation.Kind) string {
	switch kind {
	case operation.KindStart:
		return `{"image":"game:1.2.3"}`
	case operation.KindPatch:
		return `{"image":"game:1.2.4"}`
	default:
		return ""
	}
}
