package httpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/cluster"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

var startTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fakeManager is the manager of the served daemon. The test sets its results.
type fakeManager struct {
	cluster.LocalNode
	execute func(ports.OperationRequest, func(operation.Progress)) (operation.Outcome, error)
	report  drift.Report
	page    drift.Explanation
	err     error
}

func (o *fakeManager) Execute(_ context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	return o.execute(request, report)
}

func (o *fakeManager) Drift(context.Context) (drift.Report, error) { return o.report, o.err }

func (o *fakeManager) Explain(context.Context, string) (drift.Explanation, error) {
	return o.page, o.err
}

func (o *fakeManager) ReleaseBrake(context.Context) error { return o.err }

func (o *fakeManager) ApplyDrift(_ context.Context, findings []drift.Finding, _ string) ([]drift.ApplyResult, error) {
	var results []drift.ApplyResult
	for _, f := range findings {
		results = append(results, drift.ApplyResult{ID: f.ID, GameID: f.GameID, Region: f.Region, Node: f.Node, Action: f.Action, Status: drift.ApplyDone})
	}
	return results, nil
}

// clientOfManager serves the daemon eu/n1 with the manager and returns its client.
func clientOfManager(t *testing.T, o *fakeManager, nodes ports.NodeRegistry) *httpclient.Client {
	t.Helper()
	api, _, err := servertest.New(memstore.New(), servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n1"}, Local: o, Nodes: nodes})
	require.NoError(t, err)
	server := httptest.NewServer(api.Handler())
	client, err := httpclient.New(server.URL, fastRetries())
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, client.Close())
		server.CloseClientConnections()
		server.Close()
	})
	return client
}

func successOf(request ports.OperationRequest) operation.Outcome {
	record := running(request.GameID)
	return operation.Outcome{OperationID: request.Origin.OperationID, Kind: request.Kind, Actor: request.Origin.Actor, StartedAt: startTime, FinishedAt: startTime, Record: &record, Revision: 7}
}

func progressAt(request ports.OperationRequest, step operation.Step) operation.Progress {
	return operation.Progress{OperationID: request.Origin.OperationID, Kind: request.Kind, GameID: request.GameID, Step: step, At: startTime}
}

// The request arrives at the server's manager, and its progress and outcome return.
func TestOperationsOverHTTP(t *testing.T) {
	t.Parallel()
	spec := operation.Spec{Image: "game:1", Args: []string{"x"}, Port: 7, StopGrace: operation.Duration(time.Second)}
	origin := ports.Origin{OperationID: "öp", Actor: "Jörg", Reason: "warum\nnicht"}
	for name, request := range map[string]ports.OperationRequest{
		"start with a spec": {GameID: "a/b", Kind: operation.KindStart, Spec: &spec, Origin: origin},
		"start as before":   {GameID: "g", Kind: operation.KindStart, Origin: origin},
		"stop":              {GameID: "g", Kind: operation.KindStop, Origin: origin},
		"restart":           {GameID: "g", Kind: operation.KindRestart, Origin: origin},
		"patch":             {GameID: "g", Kind: operation.KindPatch, Image: "game:2", Force: true, Origin: origin},
		"patch of a spec":   {GameID: "g", Kind: operation.KindPatch, Spec: &spec, Origin: origin},
		"cleanup":           {GameID: "g", Kind: operation.KindCleanup, Origin: origin},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pulling := progressAt(request, operation.StepPulling)
			pulling.Text, pulling.BytesDone, pulling.BytesTotal = "layer 1", 5, 10
			last := progressAt(request, operation.StepAwaitingHealth)
			record := running(request.GameID)
			last.Record, last.Revision = &record, 6
			var received ports.OperationRequest
			client := clientOfManager(t, &fakeManager{execute: func(r ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
				received = r
				report(pulling)
				report(last)
				return successOf(r), nil
			}}, nil)
			var reported []operation.Progress
			outcome, err := client.Execute(t.Context(), request, func(p operation.Progress) { reported = append(reported, p) })
			require.NoError(t, err)
			request.AnyNode = request.Kind == operation.KindStart // it names no node
			require.Equal(t, request, received)
			require.Equal(t, successOf(request), outcome)
			require.Equal(t, []operation.Progress{pulling, last}, reported)
			_, err = client.Execute(t.Context(), request, nil)
			require.NoError(t, err, "the progress function is optional")
		})
	}
}

// The placement and the state to wait for are sent. An operation that is still running
// has no outcome.
func TestOperationsReturnAtTheRequestedState(t *testing.T) {
	t.Parallel()
	client := clientOfManager(t, &fakeManager{execute: func(r ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
		report(progressAt(r, operation.StepAccepted))
		report(progressAt(r, operation.StepAwaitingHealth))
		return successOf(r), nil
	}}, nil)
	o := httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: "g", Kind: operation.KindStart}, Region: "eu", Node: "n1"}
	for until, step := range map[httpclient.Wait]operation.Step{"": operation.StepFinished, httpclient.WaitDone: operation.StepFinished, httpclient.WaitRunning: operation.StepAwaitingHealth, httpclient.WaitAccepted: operation.StepAccepted} {
		o.Until = until
		result, err := client.RunOperation(t.Context(), o, nil)
		require.NoError(t, err)
		require.Equal(t, step, result.Step)
		require.Equal(t, step == operation.StepFinished, result.Outcome != nil)
		require.NotEmpty(t, result.OperationID)
	}
	o.Node = "n9"
	_, err := client.RunOperation(t.Context(), o, nil)
	requireOnly(t, node.ErrUnreachable, err)
	require.ErrorContains(t, err, "eu/n9")
}

// The client returns the errors of the server's manager, before an operation has started
// and after.
func TestErrorsOfOperationsAreTransferredUnchanged(t *testing.T) {
	t.Parallel()
	deadline := errors.New("deadline")
	for _, row := range []struct {
		err      error
		failed   operation.FailureCode
		sentinel error
	}{
		{&operation.BusyError{GameID: "g", OperationID: "other", Kind: "start", Step: "pulling", Holder: "eu/n1", Actor: "ada", Since: startTime}, "", operation.ErrBusy},
		{&operation.BusyError{GameID: "g", OperationID: "other"}, "", operation.ErrBusy},
		{&operation.RejectedError{GameID: "g", Operation: "stop", Status: runtime.StatusRemoved, Reason: "it has been removed"}, "", operation.ErrRejected},
		{&runtime.InvalidError{Field: "operation_id", Reason: "is invalid"}, "", runtime.ErrInvalid},
		{runtime.ErrNotFound, "", runtime.ErrNotFound},
		{container.ErrEngineUnavailable, "", container.ErrEngineUnavailable},
		{runtime.ErrUnavailable, "", runtime.ErrUnavailable},
		{runtime.ErrReadOnly, "", runtime.ErrReadOnly},
		{container.ErrNoImage, operation.FailureNoImage, container.ErrNoImage},
		{operation.ErrStartFailed, operation.FailureStart, operation.ErrStartFailed},
		{container.ErrEngineUnavailable, operation.FailureEngine, container.ErrEngineUnavailable},
		{deadline, operation.FailureDeadline, nil},
	} {
		for _, afterProgress := range []bool{false, true} {
			calls := 0
			client := clientOfManager(t, &fakeManager{execute: func(r ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
				calls++
				if afterProgress {
					report(progressAt(r, operation.StepPulling))
				}
				outcome := operation.Outcome{}
				if row.failed != "" {
					outcome = successOf(r)
					outcome.Failure = &operation.Failure{Code: row.failed, Message: "m"}
				}
				return outcome, row.err
			}}, nil)
			if afterProgress && (errors.Is(row.err, runtime.ErrUnavailable) || row.failed == "" && errors.Is(row.err, runtime.ErrNotFound)) {
				continue // not conclusive once it has started; see TestLostResponsesOfOperations
			}
			request := ports.OperationRequest{GameID: "g", Kind: operation.KindStop, Origin: ports.Origin{OperationID: "op-1"}}
			outcome, err := client.Execute(t.Context(), request, nil)
			requireOnly(t, row.sentinel, err)
			require.Equal(t, 1, calls, "%v, after progress: %v", row.err, afterProgress)
			if hasDetails(row.err) {
				require.Equal(t, row.err, err)
			}
			require.Equal(t, row.failed != "", outcome.Failure != nil, "a failed operation has an outcome: %v", err)
			if row.failed != "" {
				require.Equal(t, row.failed, outcome.Failure.Code)
				require.Equal(t, "op-1", outcome.OperationID)
			}
		}
	}
}

// idCounter counts the requests of each operation id.
type idCounter struct {
	mu  sync.Mutex // guards ids
	ids map[string]int
}

func (k *idCounter) add(r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ids == nil {
		k.ids = map[string]int{}
	}
	k.ids[r.Header.Get(api.HeaderIdempotencyKey)]++
}

func (s exchange) sendOperationEvents(events ...api.OperationEvent) exchange {
	for _, event := range events {
		line, err := json.Marshal(event)
		if err != nil {
			panic(err)
		}
		s.sendLines(string(line))
	}
	return s
}

// A request whose response was lost is retried under the same id until a response is
// conclusive.
func TestLostResponsesOfOperations(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for timeouts")
	}
	request := ports.OperationRequest{GameID: "g", Kind: operation.KindStop}
	pulling := api.ProgressEvent(progressAt(request, operation.StepStopping))
	sendProblem := func(s exchange, p *api.Problem) {
		p.Type = api.ProblemTypePrefix + string(p.Code)
		s.w.Header().Set("Content-Type", api.ProblemMediaType)
		s.w.WriteHeader(p.Status)
		_ = json.NewEncoder(s.w).Encode(p)
	}
	for name, lose := range map[string]func(exchange){
		"dropped before the response": exchange.dropConnection,
		"dropped after progress":      func(s exchange) { s.openStream("").sendOperationEvents(pulling).dropConnection() },
		"ended after progress":        func(s exchange) { s.openStream("").sendOperationEvents(pulling) },
		"half a line": func(s exchange) {
			_, _ = io.WriteString(s.openStream("").sendOperationEvents(pulling).w, `{"type":"resu`)
		},
		"idle":          func(s exchange) { s.openStream("").sendOperationEvents(pulling).hang() },
		"no response":   exchange.hang,
		"not JSON":      func(s exchange) { s.openStream("").sendLines("what?") },
		"a page":        func(s exchange) { htmlPage(s.w, http.StatusOK) },
		"a bad gateway": func(s exchange) { htmlPage(s.w, http.StatusBadGateway) },
		"result of another game": func(s exchange) {
			s.openStream("").sendOperationEvents(api.OperationEvent{Type: "result", GameID: "other"})
		},
		"result without an outcome": func(s exchange) {
			s.openStream("").sendOperationEvents(api.OperationEvent{Type: "result", GameID: "g"})
		},
		"outcome unknown": func(s exchange) { sendProblem(s, &api.Problem{Status: 504, Code: api.CodeOutcomeUnknown}) },
		"outcome unknown after progress": func(s exchange) {
			p := &api.Problem{Type: "x", Status: 504, Code: api.CodeOutcomeUnknown}
			s.openStream("").sendOperationEvents(pulling, api.OperationEvent{Type: "error", Problem: p})
		},
		"busy with itself": func(s exchange) {
			sendProblem(s, &api.Problem{Status: 409, Code: api.CodeBusy, OperationID: s.r.Header.Get(api.HeaderIdempotencyKey)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := fastRetries()
			if name == "idle" || name == "no response" {
				cfg.RequestTimeout, cfg.IdleTimeout = 2*time.Second, 2*time.Second
			}
			var ids idCounter
			counting := func(respond func(exchange)) func(exchange) {
				return func(s exchange) { ids.add(s.r); respond(s) }
			}
			client, _ := scriptedClient(t, cfg, counting(lose),
				// Once it may have started, an unreachable node is not conclusive.
				counting(func(s exchange) {
					if name == "busy with itself" {
						lose(s)
						return
					}
					sendProblem(s, &api.Problem{Status: 503, Code: api.CodeNodeUnreachable})
				}),
				counting(func(s exchange) {
					r := request
					r.Origin.OperationID = s.r.Header.Get(api.HeaderIdempotencyKey)
					s.openStream("").sendOperationEvents(api.OperationEvent{Type: "heartbeat"}, api.ResultEvent(api.ResultOf("g", successOf(r))))
				}))
			outcome, err := client.Execute(t.Context(), request, nil)
			require.NoError(t, err)
			require.Equal(t, map[string]int{outcome.OperationID: 3}, ids.ids, "every attempt has the same operation id")
		})
	}
}

// If the context or the time for retries ends, the error means that the outcome is unknown.
// It does not if the operation cannot have started.
func TestOperationsOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	request := ports.OperationRequest{GameID: "g", Kind: operation.KindStop}
	stopping := api.ProgressEvent(progressAt(request, operation.StepStopping))
	ctx, cancel := context.WithCancel(t.Context())
	client, _ := scriptedClient(t, fastRetries(), func(s exchange) { s.openStream("").sendOperationEvents(stopping).hang() })
	_, err := client.Execute(ctx, request, func(operation.Progress) { cancel() })
	requireOnly(t, runtime.ErrOutcomeUnknown, err)
	require.ErrorIs(t, err, context.Canceled)

	cfg := fastRetries()
	cfg.WriteTimeout = 50 * time.Millisecond
	client, _ = scriptedClient(t, cfg, func(s exchange) { s.openStream("").sendOperationEvents(stopping).dropConnection() }, exchange.dropConnection)
	_, err = client.Execute(t.Context(), request, nil)
	requireOnly(t, runtime.ErrOutcomeUnknown, err)

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Execute(canceled, request, nil)
	requireOnly(t, nil, err)
	require.ErrorIs(t, err, context.Canceled)

	client, requests := scriptedClient(t, fastRetries(), func(s exchange) {
		s.w.Header().Set("Content-Type", api.ProblemMediaType)
		s.w.WriteHeader(http.StatusNotImplemented)
		_, _ = io.WriteString(s.w, `{"type":"urn:rtmanager:problem:no_engine","code":"no_engine","status":501,"title":"t","detail":"no engine here"}`)
	})
	_, err = client.Execute(t.Context(), request, nil)
	requireOnly(t, nil, err)
	require.ErrorContains(t, err, "no engine here")
	require.EqualValues(t, 1, requests.Load(), "an operation that the server does not implement is not retried")

	for _, bad := range []ports.OperationRequest{{GameID: " ", Kind: operation.KindStop}, {GameID: "g", Kind: operation.KindStop, Origin: ports.Origin{OperationID: "a\nb"}}} {
		_, err = client.Execute(t.Context(), bad, nil)
		requireOnly(t, runtime.ErrInvalid, err)
	}
	require.EqualValues(t, 1, requests.Load(), "an invalid request is not sent")
}
