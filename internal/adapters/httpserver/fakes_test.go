package httpserver_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
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

// fakeNode is the local node of a daemon; the test defines its behavior.
type fakeNode struct {
	// execute implements Execute if it is set; otherwise every operation succeeds at
	// once.
	execute func(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error)
	// explanation and explainErr are the results of Explain.
	explanation drift.Explanation
	explainErr  error
	// report is the result of Drift, after drift if that is set; apply implements
	// ApplyDrift.
	report drift.Report
	drift  func(ctx context.Context) error
	apply  func([]drift.Finding) ([]drift.ApplyResult, error)
	brake  error
	// offer and offerErr are the results of Offer.
	offer    node.Offer
	offerErr error

	mu          sync.Mutex // guards the following fields
	requests    []ports.OperationRequest
	applyActors []string // of the calls of ApplyDrift
}

var _ cluster.LocalNode = (*fakeNode)(nil)

func (m *fakeNode) Execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	m.mu.Lock()
	m.requests = append(m.requests, request)
	m.mu.Unlock()
	if m.execute == nil {
		return successOf(request), nil
	}
	return m.execute(ctx, request, report)
}

// onlyRequest returns the only request that the node has received.
func (m *fakeNode) onlyRequest(t testing.TB) ports.OperationRequest {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Len(t, m.requests, 1, "requests that the node has received")
	return m.requests[0]
}

func (m *fakeNode) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.requests)
}

func (m *fakeNode) Offer(context.Context, string, operation.Spec) (node.Offer, error) {
	return m.offer, m.offerErr
}

func (m *fakeNode) Explain(_ context.Context, gameID string) (drift.Explanation, error) {
	page := m.explanation
	page.GameID = gameID
	return page, m.explainErr
}

func (m *fakeNode) Drift(ctx context.Context) (drift.Report, error) {
	if m.drift != nil {
		if err := m.drift(ctx); err != nil {
			return drift.Report{}, err
		}
	}
	return m.report, nil
}

func (m *fakeNode) ApplyDrift(_ context.Context, findings []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	m.mu.Lock()
	m.applyActors = append(m.applyActors, actor)
	m.mu.Unlock()
	return m.apply(findings)
}

func (m *fakeNode) ReleaseBrake(context.Context) error { return m.brake }

// successOf returns the outcome of an operation that succeeded at once.
func successOf(request ports.OperationRequest) operation.Outcome {
	record := recordOf(request.GameID)
	return operation.Outcome{
		OperationID: request.Origin.OperationID, Kind: request.Kind, Actor: request.Origin.Actor,
		StartedAt: noon, FinishedAt: noon.Add(time.Second), Record: &record, Revision: 7,
	}
}

// failureOf returns the outcome of an operation that failed.
func failureOf(request ports.OperationRequest, code operation.FailureCode) operation.Outcome {
	outcome := successOf(request)
	outcome.Failure = &operation.Failure{Code: code, Message: "it was " + string(code)}
	return outcome
}

// progressAt returns progress of the request.
func progressAt(request ports.OperationRequest, step operation.Step) operation.Progress {
	p := operation.Progress{OperationID: request.Origin.OperationID, Kind: request.Kind, GameID: request.GameID, Step: step, At: noon}
	if step == operation.StepAwaitingHealth {
		record := recordOf(request.GameID)
		p.Record, p.Revision = &record, 6
	}
	return p
}

// slowOperation returns an operation that reports the steps and then continues until
// end is closed or its caller leaves.
func slowOperation(end <-chan struct{}, steps ...operation.Step) func(context.Context, ports.OperationRequest, func(operation.Progress)) (operation.Outcome, error) {
	return func(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
		for _, step := range steps {
			report(progressAt(request, step))
		}
		select {
		case <-end:
			return successOf(request), nil
		case <-ctx.Done():
			return operation.Outcome{}, ctx.Err()
		}
	}
}

// fakeRegistry is a registry of nodes that the test defines.
type fakeRegistry struct {
	mu      sync.Mutex // guards nodes
	nodes   []node.Node
	leaders map[string]node.Leader
	absent  []node.Absent
	err     error
}

func (r *fakeRegistry) Nodes(context.Context) ([]node.Node, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.nodes), r.err
}

func (r *fakeRegistry) Overview(ctx context.Context) (node.Overview, error) {
	present, err := r.Nodes(ctx)
	return node.Overview{Present: present, Absent: r.absent, Leaders: slices.Collect(maps.Values(r.leaders))}, err
}

func (r *fakeRegistry) AwaitAbsence(ctx context.Context, n node.Node) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		present, err := r.Nodes(ctx)
		if _, isPresent := node.Find(present, n.Ref()); err == nil && !isPresent {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *fakeRegistry) SetLost(context.Context, node.Ref, time.Time) error { return nil }

func (r *fakeRegistry) RemoveNode(context.Context, node.Ref) error { return r.err }

// join adds a node with an engine at the address.
func (r *fakeRegistry) join(region, name, api string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes = append(r.nodes, node.Node{
		Region: region, Name: name, API: api, Version: "1", Instance: name + "-1", Identity: name, StartedAt: noon, Now: noon, Session: 1,
		Engine: container.EngineKindProcess,
	})
}

func (r *fakeRegistry) leave(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes = slices.DeleteFunc(r.nodes, func(n node.Node) bool { return n.Name == name })
}

// localNode returns the configuration of the node eu/n1, which recordOf's games live
// on.
func localNode(m cluster.LocalNode) servertest.Config {
	return servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n1"}, Local: m}
}

// recordOn returns the record of a running game of another node.
func recordOn(id, region, node string) runtime.RuntimeRecord {
	record := recordOf(id)
	record.Region, record.Node = region, node
	return record
}

func operationPath(id string, kind operation.Kind) string {
	return fmt.Sprintf("/v1/runtimes/%s/%s", id, kind)
}

var operationKinds = []operation.Kind{operation.KindStart, operation.KindStop, operation.KindRestart, operation.KindPatch, operation.KindCleanup}

// validBody returns a valid body for the kind of operation.
func validBody(kind operation.Kind) string {
	switch kind {
	case operation.KindStart:
		return `{"image":"game:1.2.3"}`
	case operation.KindPatch:
		return `{"image":"game:1.2.4"}`
	default:
		return ""
	}
}

// fakeGames are games that have logged one line.
type fakeGames struct{}

func (fakeGames) Cancel(context.Context, string, string, ports.Origin) error { return nil }

func (fakeGames) Exec(context.Context, string, container.Command) (int, error) { return 0, nil }

func (fakeGames) Usage(context.Context, string) (container.Usage, error) {
	return container.Usage{At: noon, CPUSeconds: 1.5, MemoryBytes: 1 << 20, Processes: 2}, nil
}

func (fakeGames) StreamLogs(context.Context, string, container.LogOptions) iter.Seq2[container.LogLine, error] {
	return func(yield func(container.LogLine, error) bool) { yield(container.LogLine{Text: "line"}, nil) }
}

// fakeIntents are the intents of the game busy, which has an operation in progress on node eu/n1 and a finished one.
type fakeIntents struct{}

func (fakeIntents) GetIntent(_ context.Context, gameID string) (ports.VersionedIntent, error) {
	intent := operation.Intent{GameID: gameID}
	if gameID == "busy" {
		intent.Current = &operation.Operation{ID: "current", Kind: operation.KindStart, Region: "eu", Node: "n1", StartedAt: noon, Deadline: noon, Step: operation.StepPulling,
			PreemptedBy: &operation.Preemption{OperationID: "queued", At: noon}}
		intent.Recent = []operation.Outcome{{OperationID: "finished", Kind: operation.KindStop, Region: "eu", Node: "n1", StartedAt: noon, FinishedAt: noon,
			Failure: &operation.Failure{Code: operation.FailureEngine, Message: "away"}}}
	}
	return ports.VersionedIntent{Intent: intent}, nil
}

func (f fakeIntents) GetIntents(ctx context.Context, gameIDs []string) (found []ports.VersionedIntent, _ error) {
	for _, gameID := range gameIDs {
		intent, _ := f.GetIntent(ctx, gameID)
		found = append(found, intent)
	}
	return found, nil
}

func (fakeIntents) GamesOfOperation(_ context.Context, operationID string) ([]string, error) {
	if operationID == "finished" {
		return []string{"busy"}, nil
	}
	return []string{}, nil // as of a daemon without the index
}

func (fakeIntents) GamesWithActiveOperation(context.Context, string, string) ([]string, error) {
	return []string{"busy"}, nil
}
