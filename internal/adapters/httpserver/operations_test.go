package httpserver_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// Every kind of operation responds with its outcome, as documented.
func TestOperationsRespondWithTheirOutcome(t *testing.T) {
	t.Parallel()
	for _, kind := range operationKinds {
		m := &fakeNode{}
		f := start(t, localNode(m))
		c := contractOf(t, f)
		got := f.send("POST", operationPath("g", kind), "Idempotency-Key: op-1\r\nRtmanager-Actor: ops\r\nRtmanager-Reason: UTF-8''w%C3%A4rum\r\n", validBody(kind))
		require.Equal(t, http.StatusOK, got.StatusCode, got.body)
		c.requireDocumented(t, "POST", operationPath("g", kind), got)
		request := m.onlyRequest(t)
		require.Equal(t, kind, request.Kind)
		require.Equal(t, ports.Origin{OperationID: "op-1", Actor: "ops", Reason: "wärum"}, request.Origin)
		outcome := successOf(request)
		require.JSONEq(t, encodeJSON(t, map[string]any{
			"operation_id": "op-1", "kind": kind, "game_id": "g", "step": "finished", "outcome": outcome, "record": outcome.Record, "revision": 7,
		}), got.body)
	}
}

// The members of a body arrive at the node, and omitted ones do not.
func TestOperationBodies(t *testing.T) {
	t.Parallel()
	full := operation.Spec{
		Image: "game:1", Args: []string{"-x"}, Env: map[string]string{"A": "1"}, Network: "net", Port: 7000, ContainerPort: 80, CPUs: 0.5,
		MemoryBytes: 64 << 20, HealthPath: "/ok", HealthTimeout: operation.Duration(time.Minute), StopGrace: operation.Duration(time.Second),
		Crash:      operation.CrashPolicy{Attempts: 3, Window: operation.Duration(time.Hour), Delay: operation.Duration(time.Second)},
		OnNodeLost: operation.NodeLostReschedule, Regions: []string{"us", "ap"},
	}
	for name, c := range map[string]struct {
		kind operation.Kind
		body string
		want ports.OperationRequest
	}{
		"start as before":              {operation.KindStart, "", ports.OperationRequest{AnyNode: true}},
		"start as before, with a body": {operation.KindStart, "{}", ports.OperationRequest{AnyNode: true}},
		"start as before, here":        {operation.KindStart, `{"region":"eu","node":"n1"}`, ports.OperationRequest{}},
		"start with everything":        {operation.KindStart, encodeJSON(t, full), ports.OperationRequest{Spec: &full, AnyNode: true}},
		"start with the image before":  {operation.KindStart, `{"port":7000}`, ports.OperationRequest{Spec: &operation.Spec{Port: 7000}, AnyNode: true}},
		"stop":                         {operation.KindStop, "", ports.OperationRequest{}},
		"stop with an object":          {operation.KindStop, " {} ", ports.OperationRequest{}},
		"patch":                        {operation.KindPatch, `{"image":"game:2"}`, ports.OperationRequest{Image: "game:2"}},
		"patch that is to be forced":   {operation.KindPatch, `{"image":"game:2","force":true}`, ports.OperationRequest{Image: "game:2", Force: true}},
		"restart":                      {operation.KindRestart, "", ports.OperationRequest{}},
		"cleanup with an empty object": {operation.KindCleanup, "{}", ports.OperationRequest{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &fakeNode{}
			f := start(t, localNode(m))
			got := f.send("POST", operationPath("a%2Fb", c.kind), "Content-Type: application/json\r\n", c.body)
			require.Equal(t, http.StatusOK, got.StatusCode, got.body)
			request := m.onlyRequest(t)
			require.Regexp(t, "^op_[0-9a-z]{26}$", request.Origin.OperationID, "the server generates a missing operation id")
			c.want.GameID, c.want.Kind, c.want.Origin = "a/b", c.kind, request.Origin
			require.Equal(t, c.want, request)
		})
	}
}

// wait defines when the response is sent. The operation continues after it.
func TestOperationsWaitAsRequested(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query  string
		steps  []operation.Step
		status int
		step   operation.Step
	}{
		"accepted":                 {"?wait=accepted", []operation.Step{operation.StepAccepted, operation.StepPulling}, 202, operation.StepAccepted},
		"running":                  {"?wait=running", []operation.Step{operation.StepAccepted, operation.StepCreating, operation.StepAwaitingHealth}, 200, operation.StepAwaitingHealth},
		"accepted, ended at once":  {"?wait=accepted", nil, 200, operation.StepFinished},
		"running, without running": {"?wait=running", []operation.Step{operation.StepAccepted, operation.StepRemoving}, 200, operation.StepFinished},
		"done":                     {"?wait=done", []operation.Step{operation.StepAccepted, operation.StepAwaitingHealth}, 200, operation.StepFinished},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			end := make(chan struct{})
			if c.step == operation.StepFinished {
				close(end)
			}
			m := &fakeNode{execute: slowOperation(end, c.steps...)}
			f := start(t, localNode(m))
			path := operationPath("g", operation.KindStart) + c.query
			got := f.send("POST", path, "", "")
			require.Equal(t, c.status, got.StatusCode, got.body)
			contractOf(t, f).requireDocumented(t, "POST", path, got)
			result := decodeAs[api.OperationResult](t, got.body)
			require.Equal(t, c.step, result.Step)
			require.Equal(t, c.step == operation.StepFinished, result.Outcome != nil, got.body)
			require.Equal(t, c.step != operation.StepAccepted, result.Record != nil, got.body)
		})
	}
}

// A client that disconnects before its operation is accepted does not cancel it.
func TestClientsThatLeaveDoNotCancelTheirOperation(t *testing.T) {
	t.Parallel()
	entered, accept, executeErr := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	m := &fakeNode{execute: func(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
		close(entered)
		select {
		case <-accept:
		case <-ctx.Done():
			executeErr <- ctx.Err()
			return operation.Outcome{}, ctx.Err()
		}
		report(progressAt(request, operation.StepAccepted))
		<-ctx.Done() // no request waits any more
		executeErr <- nil
		return operation.Outcome{}, ctx.Err()
	}}
	f := start(t, localNode(m))
	conn := f.dial("POST /v1/runtimes/g/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
	<-entered
	require.NoError(t, conn.Close())
	select {
	case err := <-executeErr:
		require.NoError(t, err, "the operation was canceled before it was accepted")
	case <-time.After(200 * time.Millisecond): // time for the server to detect it
	}
	close(accept)
	require.NoError(t, <-executeErr)
}

// When the time of a request is over, the response reports that the operation
// continues.
func TestOperationsContinueAfterTheirRequests(t *testing.T) {
	t.Parallel()
	cfg := localNode(&fakeNode{execute: slowOperation(nil, operation.StepAccepted, operation.StepPulling)})
	cfg.RequestTimeout, cfg.OperationTimeout = time.Second, 1200*time.Millisecond
	f := start(t, cfg)
	began := time.Now()
	got := f.send("POST", operationPath("g", operation.KindStart), "Idempotency-Key: op-1\r\n", "")
	require.Equal(t, http.StatusGatewayTimeout, got.StatusCode, got.body)
	require.GreaterOrEqual(t, time.Since(began), 1200*time.Millisecond, "the timeout of ordinary requests does not apply")
	contractOf(t, f).requireDocumented(t, "POST", operationPath("g", operation.KindStart), got)
	p := got.problem(t)
	require.Equal(t, api.CodeOutcomeUnknown, p.Code)
	require.Equal(t, []string{"op-1", "start", "pulling", "g"}, []string{p.OperationID, p.Kind, string(p.Step), p.GameID})
	require.Contains(t, p.Detail, "operation op-1 continues")
}

// An operation that the store cannot accept ends its request like an ordinary one.
func TestOperationsThatAreNotAcceptedEndTheirRequests(t *testing.T) {
	t.Parallel()
	cfg := localNode(&fakeNode{execute: slowOperation(nil)})
	cfg.RequestTimeout, cfg.OperationTimeout = 10*time.Millisecond, time.Hour
	f := start(t, cfg)
	got := f.send("POST", operationPath("g", operation.KindStart), "Idempotency-Key: op-1\r\n", "")
	require.Equal(t, http.StatusGatewayTimeout, got.StatusCode, got.body)
	contractOf(t, f).requireDocumented(t, "POST", operationPath("g", operation.KindStart), got)
	p := got.problem(t)
	require.Equal(t, []string{string(api.CodeOutcomeUnknown), "op-1", "start", "g"}, []string{string(p.Code), p.OperationID, p.Kind, p.GameID})
	require.Contains(t, p.Detail, "it was not accepted within 10ms; it is unknown whether operation op-1 was started")
}

func TestRequestsThatWaitForOperationsAreLimited(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	cfg := localNode(&fakeNode{execute: slowOperation(end, operation.StepAccepted)})
	cfg.MaxOperations = 1
	f := start(t, cfg)
	conn, first := f.openUntilDone("POST", operationPath("g", operation.KindStop), ndjson, "")
	require.Equal(t, 200, first.StatusCode)
	rejected := f.send("POST", operationPath("h", operation.KindStop), "", "")
	require.Equal(t, http.StatusTooManyRequests, rejected.StatusCode, rejected.body)
	require.Equal(t, api.CodeTooManyOperations, rejected.problem(t).Code)
	contractOf(t, f).requireDocumented(t, "POST", operationPath("h", operation.KindStop), rejected)
	close(end)
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool {
		return f.send("POST", operationPath("h", operation.KindStop), "", "").StatusCode == http.StatusOK
	}, testTimeout, tick, "a free slot")
}

// A daemon without an engine returns the code no_engine, for operations only.
func TestDaemonsWithoutAnEngine(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{Region: "eu", Node: "n1"})
	c := contractOf(t, f)
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	for _, call := range []string{
		"POST /v1/runtimes/g/start", "POST /v1/runtimes/new/start", "POST /v1/runtimes/g/stop", "POST /v1/runtimes/g/cleanup", "GET /v1/runtimes/g/explain",
		"GET /v1/drift", "GET /v1/drift?scope=node", "POST /v1/drift/release", "GET /v1/nodes",
	} {
		method, path, _ := strings.Cut(call, " ")
		got := f.send(method, path, "", "")
		require.Equal(t, http.StatusNotImplemented, got.StatusCode, "%s: %s", call, got.body)
		require.Equal(t, api.CodeNoEngine, got.problem(t).Code, call)
		c.requireDocumented(t, method, path, got)
	}
	missing := f.send("POST", operationPath("none", operation.KindStop), "", "")
	require.Equal(t, http.StatusNotFound, missing.StatusCode, missing.body)
	bad := f.send("POST", operationPath("g", operation.KindStart), "", `{"image":""}`)
	require.Equal(t, http.StatusNotImplemented, bad.StatusCode, "an empty image is the previous one: %s", bad.body)
}

// A node that panics ends its own request, and the server continues to serve.
func TestNodesThatPanic(t *testing.T) {
	t.Parallel()
	m := &fakeNode{execute: func(context.Context, ports.OperationRequest, func(operation.Progress)) (operation.Outcome, error) {
		panic("node panicked")
	}}
	f := start(t, localNode(m))
	for range 2 {
		got := f.send("POST", operationPath("g", operation.KindStop), "", "")
		require.Equal(t, http.StatusInternalServerError, got.StatusCode)
		require.Equal(t, api.CodeInternal, got.problem(t).Code)
		require.NotContains(t, got.body, "node panicked")
	}
}

// A shutdown waits for operations that end soon. To the other requests it responds that
// their operations continue.
func TestShutdownAndOperations(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	cfg := localNode(&fakeNode{execute: func(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
		if request.GameID == "quick" {
			return slowOperation(end, operation.StepAccepted)(ctx, request, report)
		}
		return slowOperation(nil, operation.StepAccepted)(ctx, request, report)
	}})
	cfg.DrainTimeout = 4 * time.Second
	s := serve(t, memstore.New(), cfg)
	_, quick := s.openUntilDone("POST", operationPath("quick", operation.KindStop), ndjson, "")
	_, long := s.openUntilDone("POST", operationPath("long", operation.KindStop), ndjson, "")
	plain := make(chan rawResponse, 1)
	go func() { plain <- s.send("POST", operationPath("plain", operation.KindStop), "", "") }()
	require.Eventually(t, func() bool { return cfg.Local.(*fakeNode).count() == 3 }, testTimeout, tick, "all operations have started")
	s.stop()
	close(end)
	require.Equal(t, "progress result", typesOf(readOperation(t, quick)))
	events := readOperation(t, long)
	require.Equal(t, "progress error", typesOf(events))
	require.Equal(t, api.CodeOutcomeUnknown, events[1].Problem.Code)
	require.Contains(t, events[1].Problem.Detail, "shutting down")
	require.Equal(t, api.CodeOutcomeUnknown, (<-plain).problem(t).Code)
	require.NoError(t, s.wait())
}

// Errors of operations, for every kind: status, code, and the members that a program
// acts on.
func TestErrorsOfOperations(t *testing.T) {
	t.Parallel()
	busy := &operation.BusyError{GameID: "g", OperationID: "other", Kind: "start", Step: "pulling", Holder: "eu/n1", Actor: "ada", Since: noon}
	rejected := &operation.RejectedError{GameID: "g", Operation: "cleanup", Status: runtime.StatusRunning, Reason: "it is running; stop it first"}
	for _, row := range []struct {
		err    error
		failed operation.FailureCode // empty for a request that was rejected before it started
		status int
		code   api.Code
		want   api.Problem // in addition to the members of every problem
	}{
		{busy, "", 409, api.CodeBusy, api.Problem{GameID: "g", OperationID: "other", Kind: "start", Step: "pulling", Holder: "eu/n1", Actor: "ada", Since: new(noon)}},
		{rejected, "", 409, api.CodeRejected, api.Problem{GameID: "g", Kind: "cleanup", GameStatus: "running", Reason: "it is running; stop it first"}},
		{runtime.ErrNotFound, "", 404, api.CodeNotFound, api.Problem{}},
		{&runtime.InvalidError{Field: "image", Reason: "is odd"}, "", 422, api.CodeInvalid, api.Problem{Errors: []api.Fault{{Location: "body.image", Message: "is odd"}}}},
		{&runtime.InvalidError{Field: "operation_id", Reason: "is long"}, "", 400, api.CodeInvalid, api.Problem{Errors: []api.Fault{{Location: "header.Idempotency-Key", Message: "is long"}}}},
		{runtime.ErrUnavailable, "", 503, api.CodeUnavailable, api.Problem{}},
		{runtime.ErrReadOnly, "", 507, api.CodeReadOnly, api.Problem{}},
		{container.ErrEngineUnavailable, "", 503, api.CodeEngineUnavailable, api.Problem{}},
		{runtime.ErrOutcomeUnknown, "", 504, api.CodeOutcomeUnknown, api.Problem{}},
		{container.ErrNoImage, operation.FailureNoImage, 422, api.CodeNoImage, api.Problem{}},
		{operation.ErrStartFailed, operation.FailureStart, 422, api.CodeStartFailed, api.Problem{}},
		{container.ErrEngineUnavailable, operation.FailureEngine, 503, api.CodeEngineUnavailable, api.Problem{}},
		{runtime.ErrConflict, operation.FailureConflict, 409, api.CodeConflict, api.Problem{}},
		{errBroken, operation.FailureDeadline, 500, api.CodeOperationFailed, api.Problem{}},
		{errBroken, "", 500, api.CodeInternal, api.Problem{}},
	} {
		for _, kind := range operationKinds {
			m := &fakeNode{execute: func(_ context.Context, request ports.OperationRequest, _ func(operation.Progress)) (operation.Outcome, error) {
				if row.failed == "" {
					return operation.Outcome{}, row.err
				}
				return failureOf(request, row.failed), row.err
			}}
			f := start(t, localNode(m))
			got := f.send("POST", operationPath("g", kind), "Idempotency-Key: op-1\r\n", validBody(kind))
			require.Equal(t, row.status, got.StatusCode, "%s that fails with %v: %s", kind, row.err, got.body)
			contractOf(t, f).requireDocumented(t, "POST", operationPath("g", kind), got)
			require.Equal(t, row.status == 503, got.Header.Get("Retry-After") == "1")
			p := got.problem(t)
			require.Equal(t, row.code, p.Code)
			want := row.want
			want.Type, want.Title, want.Status, want.Code, want.Detail, want.RequestID = p.Type, p.Title, p.Status, p.Code, p.Detail, p.RequestID
			if row.failed != "" {
				outcome := failureOf(m.onlyRequest(t), row.failed)
				want.Outcome, want.OperationID, want.Kind, want.GameID = &outcome, "op-1", string(kind), "g"
			}
			require.Equal(t, want, p, "%s that fails with %v", kind, row.err)
		}
	}
}
