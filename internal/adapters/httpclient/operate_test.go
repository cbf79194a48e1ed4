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
	"galaxy/rtmanager/internal/testkit/memstore"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// operator is the manager of a far daemon, of which a test says what it does.
type operator struct {
	httpserver.Manager
	operate func(ports.OperationRequest, func(operation.Progress)) (operation.Outcome, error)
	report  drift.Report
	page    drift.Explanation
	err     error
}

func (o *operator) Execute(_ context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	return o.operate(request, report)
}

func (o *operator) Drift(context.Context) (drift.Report, error) { return o.report, o.err }

func (o *operator) Explain(context.Context, string) (drift.Explanation, error) { return o.page, o.err }

func (o *operator) ReleaseBrake(context.Context) error { return o.err }

func (o *operator) ApplyDrift(_ context.Context, findings []drift.Finding, _ string) ([]drift.ApplyResult, error) {
	var results []drift.ApplyResult
	for _, f := range findings {
		results = append(results, drift.ApplyResult{ID: f.ID, GameID: f.GameID, Region: f.Region, Node: f.Node, Action: f.Action, Status: drift.ApplyDone})
	}
	return results, nil
}

// farOperator serves the daemon eu/n1 that the operator manages.
func farOperator(t *testing.T, o *operator, nodes ports.NodeRegistry) *httpclient.Client {
	t.Helper()
	api, err := httpserver.New(memstore.New(), httpserver.Config{Region: "eu", Node: "n1", Manager: o, Nodes: nodes})
	require.NoError(t, err)
	server := httptest.NewServer(api.Handler())
	client, err := httpclient.New(server.URL, patient())
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, client.Close())
		server.CloseClientConnections()
		server.Close()
	})
	return client
}

func succeeded(request ports.OperationRequest) operation.Outcome {
	record := running(request.GameID)
	return operation.Outcome{OperationID: request.Origin.OperationID, Kind: request.Kind, Actor: request.Origin.Actor, StartedAt: began, FinishedAt: began, Record: &record, Revision: 7}
}

func stepped(request ports.OperationRequest, step operation.Step) operation.Progress {
	return operation.Progress{OperationID: request.Origin.OperationID, Kind: request.Kind, GameID: request.GameID, Step: step, At: began}
}

// What is asked for arrives at the far manager, and what it tells comes back.
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
		"cleanup":           {GameID: "g", Kind: operation.KindCleanup, Origin: origin},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pulling := stepped(request, operation.StepPulling)
			pulling.Text, pulling.BytesDone, pulling.BytesTotal = "layer 1", 5, 10
			last := stepped(request, operation.StepAwaitingHealth)
			record := running(request.GameID)
			last.Record, last.Revision = &record, 6
			var asked ports.OperationRequest
			client := farOperator(t, &operator{operate: func(r ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
				asked = r
				report(pulling)
				report(last)
				return succeeded(r), nil
			}}, nil)
			var told []operation.Progress
			outcome, err := client.Execute(t.Context(), request, func(p operation.Progress) { told = append(told, p) })
			require.NoError(t, err)
			require.Equal(t, request, asked)
			require.Equal(t, succeeded(request), outcome)
			require.Equal(t, []operation.Progress{pulling, last}, told)
			_, err = client.Execute(t.Context(), request, nil)
			require.NoError(t, err, "nobody need listen")
		})
	}
}

// Where and until when go along, and an operation that goes on has no outcome.
func TestOperationsNeedNotBeWaitedFor(t *testing.T) {
	t.Parallel()
	client := farOperator(t, &operator{operate: func(r ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
		report(stepped(r, operation.StepAccepted))
		report(stepped(r, operation.StepAwaitingHealth))
		return succeeded(r), nil
	}}, nil)
	o := httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: "g", Kind: operation.KindStart}, Region: "eu", Node: "n1"}
	for until, step := range map[httpclient.Wait]operation.Step{"": operation.StepFinished, httpclient.WaitDone: operation.StepFinished, httpclient.WaitRunning: operation.StepAwaitingHealth, httpclient.WaitAccepted: operation.StepAccepted} {
		o.Until = until
		answer, err := client.RunOperation(t.Context(), o, nil)
		require.NoError(t, err)
		require.Equal(t, step, answer.Step)
		require.Equal(t, step == operation.StepFinished, answer.Outcome != nil)
		require.NotEmpty(t, answer.OperationID)
	}
	o.Node = "n9"
	_, err := client.RunOperation(t.Context(), o, nil)
	requireOnly(t, node.ErrUnreachable, err)
	require.ErrorContains(t, err, "eu/n9")
}

// What a far manager says is what the client says, before an operation and after.
func TestErrorsOfOperationsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	odd := errors.New("deadline")
	for _, row := range []struct {
		err      error
		failed   operation.FailureCode
		sentinel error
	}{
		{&operation.BusyError{GameID: "g", OperationID: "other", Kind: "start", Step: "pulling", Holder: "eu/n1", Actor: "ada", Since: began}, "", operation.ErrBusy},
		{&operation.BusyError{GameID: "g", OperationID: "other"}, "", operation.ErrBusy},
		{&operation.RefusedError{GameID: "g", Operation: "stop", Status: runtime.StatusRemoved, Reason: "it has been removed"}, "", operation.ErrRefused},
		{&runtime.InvalidError{Field: "operation_id", Reason: "is odd"}, "", runtime.ErrInvalid},
		{runtime.ErrNotFound, "", runtime.ErrNotFound},
		{container.ErrEngineUnavailable, "", container.ErrEngineUnavailable},
		{runtime.ErrUnavailable, "", runtime.ErrUnavailable},
		{runtime.ErrReadOnly, "", runtime.ErrReadOnly},
		{container.ErrNoImage, operation.FailureNoImage, container.ErrNoImage},
		{operation.ErrStartFailed, operation.FailureStart, operation.ErrStartFailed},
		{container.ErrEngineUnavailable, operation.FailureEngine, container.ErrEngineUnavailable},
		{odd, operation.FailureDeadline, nil},
	} {
		for _, late := range []bool{false, true} {
			calls := 0
			client := farOperator(t, &operator{operate: func(r ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
				calls++
				if late {
					report(stepped(r, operation.StepPulling))
				}
				outcome := operation.Outcome{}
				if row.failed != "" {
					outcome = succeeded(r)
					outcome.Failure = &operation.Failure{Code: row.failed, Message: "m"}
				}
				return outcome, row.err
			}}, nil)
			if late && (errors.Is(row.err, runtime.ErrUnavailable) || row.failed == "" && errors.Is(row.err, runtime.ErrNotFound)) {
				continue // no answer to one that has begun; see TestLostAnswersOfOperations
			}
			request := ports.OperationRequest{GameID: "g", Kind: operation.KindStop, Origin: ports.Origin{OperationID: "op-1"}}
			outcome, err := client.Execute(t.Context(), request, nil)
			requireOnly(t, row.sentinel, err)
			require.Equal(t, 1, calls, "%v, late %v", row.err, late)
			if detailed(row.err) {
				require.Equal(t, row.err, err)
			}
			require.Equal(t, row.failed != "", outcome.Failure != nil, "an operation that failed has an outcome: %v", err)
			if row.failed != "" {
				require.Equal(t, row.failed, outcome.Failure.Code)
				require.Equal(t, "op-1", outcome.OperationID)
			}
		}
	}
}

// keys notes the operation ids of the requests.
type keys struct {
	mu  sync.Mutex // guards ids
	ids map[string]int
}

func (k *keys) note(r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ids == nil {
		k.ids = map[string]int{}
	}
	k.ids[r.Header.Get(api.HeaderIdempotencyKey)]++
}

func (s stage) operation(events ...api.OperationEvent) stage {
	for _, event := range events {
		line, err := json.Marshal(event)
		if err != nil {
			panic(err)
		}
		s.say(string(line))
	}
	return s
}

// A request whose answer got lost is made again under the same id, until the
// answer is one that tells.
func TestLostAnswersOfOperations(t *testing.T) {
	t.Parallel()
	request := ports.OperationRequest{GameID: "g", Kind: operation.KindStop}
	pulling := api.ProgressEvent(stepped(request, operation.StepStopping))
	refuse := func(s stage, p *api.Problem) {
		p.Type = api.ProblemTypePrefix + p.Code
		s.w.Header().Set("Content-Type", api.ProblemMediaType)
		s.w.WriteHeader(p.Status)
		_ = json.NewEncoder(s.w).Encode(p)
	}
	for name, lost := range map[string]func(stage){
		"cut before the answer": stage.cut,
		"cut after progress":    func(s stage) { s.open("").operation(pulling).cut() },
		"ended after progress":  func(s stage) { s.open("").operation(pulling) },
		"half a line":           func(s stage) { _, _ = io.WriteString(s.open("").operation(pulling).w, `{"type":"resu`) },
		"silent":                func(s stage) { s.open("").operation(pulling).idle() },
		"no answer":             stage.idle,
		"words":                 func(s stage) { s.open("").say("what?") },
		"a page":                func(s stage) { page(s.w, http.StatusOK) },
		"a bad gateway":         func(s stage) { page(s.w, http.StatusBadGateway) },
		"another's result":      func(s stage) { s.open("").operation(api.OperationEvent{Type: "result", GameID: "other"}) },
		"no result":             func(s stage) { s.open("").operation(api.OperationEvent{Type: "result", GameID: "g"}) },
		"outcome unknown":       func(s stage) { refuse(s, &api.Problem{Status: 504, Code: api.CodeOutcomeUnknown}) },
		"unknown, told late": func(s stage) {
			p := &api.Problem{Type: "x", Status: 504, Code: api.CodeOutcomeUnknown}
			s.open("").operation(pulling, api.OperationEvent{Type: "error", Problem: p})
		},
		"busy with itself": func(s stage) {
			refuse(s, &api.Problem{Status: 409, Code: api.CodeBusy, OperationID: s.r.Header.Get(api.HeaderIdempotencyKey)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := quick()
			cfg.RequestTimeout, cfg.IdleTimeout = time.Second, time.Second
			var seen keys
			noting := func(scene func(stage)) func(stage) {
				return func(s stage) { seen.note(s.r); scene(s) }
			}
			client, _ := playing(t, cfg, noting(lost),
				// Once it may have begun, want of a node or a store decides nothing.
				noting(func(s stage) {
					if name == "busy with itself" {
						lost(s)
						return
					}
					refuse(s, &api.Problem{Status: 503, Code: api.CodeNodeUnreachable})
				}),
				noting(func(s stage) {
					r := request
					r.Origin.OperationID = s.r.Header.Get(api.HeaderIdempotencyKey)
					s.open("").operation(api.OperationEvent{Type: "heartbeat"}, api.ResultEvent(api.Ended("g", succeeded(r))))
				}))
			outcome, err := client.Execute(t.Context(), request, nil)
			require.NoError(t, err)
			require.Equal(t, map[string]int{outcome.OperationID: 3}, seen.ids, "each try is of the same operation")
		})
	}
}

// Whoever leaves, or waits in vain, is told that the operation may go on; of one
// that cannot have begun, nothing of the kind is said.
func TestOperationsThatAreLeft(t *testing.T) {
	t.Parallel()
	request := ports.OperationRequest{GameID: "g", Kind: operation.KindStop}
	stopping := api.ProgressEvent(stepped(request, operation.StepStopping))
	ctx, cancel := context.WithCancel(t.Context())
	client, _ := playing(t, quick(), func(s stage) { s.open("").operation(stopping).idle() })
	_, err := client.Execute(ctx, request, func(operation.Progress) { cancel() })
	requireOnly(t, runtime.ErrOutcomeUnknown, err)
	require.ErrorIs(t, err, context.Canceled)

	cfg := quick()
	cfg.WriteTimeout = 50 * time.Millisecond
	client, _ = playing(t, cfg, func(s stage) { s.open("").operation(stopping).cut() }, stage.cut)
	_, err = client.Execute(t.Context(), request, nil)
	requireOnly(t, runtime.ErrOutcomeUnknown, err)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Execute(ended, request, nil)
	requireOnly(t, nil, err)
	require.ErrorIs(t, err, context.Canceled)

	client, requests := playing(t, quick(), func(s stage) {
		s.w.Header().Set("Content-Type", api.ProblemMediaType)
		s.w.WriteHeader(http.StatusNotImplemented)
		_, _ = io.WriteString(s.w, `{"type":"urn:rtmanager:problem:no_engine","code":"no_engine","status":501,"title":"t","detail":"no engine here"}`)
	})
	_, err = client.Execute(t.Context(), request, nil)
	requireOnly(t, nil, err)
	require.ErrorContains(t, err, "no engine here")
	require.EqualValues(t, 1, requests.Load(), "what is not offered was not done")

	for _, bad := range []ports.OperationRequest{{GameID: " ", Kind: operation.KindStop}, {GameID: "g", Kind: operation.KindStop, Origin: ports.Origin{OperationID: "a\nb"}}} {
		_, err = client.Execute(t.Context(), bad, nil)
		requireOnly(t, runtime.ErrInvalid, err)
	}
	require.EqualValues(t, 1, requests.Load(), "what could never be is not sent")
}
