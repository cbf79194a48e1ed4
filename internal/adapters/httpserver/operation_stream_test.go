package httpserver_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/logtest"
	"galaxy/rtmanager/internal/testkit/memstore"
)

const sse = "Accept: text/event-stream\r\n"

// readOperation reads the NDJSON stream of an operation until it ends.
func readOperation(t testing.TB, a rawResponse) []api.OperationEvent {
	t.Helper()
	require.Equal(t, api.NDJSONMediaType, a.Header.Get("Content-Type"))
	text, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	var events []api.OperationEvent
	for line := range bytes.Lines(text) {
		events = append(events, decodeAs[api.OperationEvent](t, string(line)))
	}
	return events
}

func typesOf(events []api.OperationEvent) string {
	types := make([]string, len(events))
	for i, e := range events {
		types[i] = e.Type
	}
	return strings.Join(types, " ")
}

// A stream has each step, the progress of a pull, and the result.
func TestOperationStreams(t *testing.T) {
	t.Parallel()
	m := &fakeNode{execute: func(_ context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
		report(progressAt(request, operation.StepAccepted))
		pulling := progressAt(request, operation.StepPulling)
		pulling.Text, pulling.BytesDone, pulling.BytesTotal = "<layer> & more", 1, 2
		report(pulling)
		report(progressAt(request, operation.StepAwaitingHealth))
		return successOf(request), nil
	}}
	f := start(t, localNode(m))
	c := contractOf(t, f)
	path := operationPath("g", operation.KindStart)
	got := f.send("POST", path, ndjson+"Idempotency-Key: op\r\n", "")
	c.requireDocumented(t, "POST", path, got)
	require.Equal(t, "1", map[bool]string{true: "1"}[got.Header.Get(api.HeaderHeartbeat) != ""], "the heartbeat interval is announced")
	lines := strings.Split(strings.TrimSpace(got.body), "\n")
	record := encodeJSON(t, recordOf("g"))
	require.Len(t, lines, 4, got.body)
	require.JSONEq(t, `{"type":"progress","operation_id":"op","kind":"start","game_id":"g","step":"accepted","at":"2026-01-01T12:00:00Z"}`, lines[0])
	require.JSONEq(t, `{"type":"progress","operation_id":"op","kind":"start","game_id":"g","step":"pulling","at":"2026-01-01T12:00:00Z","text":"<layer> & more","bytes_done":1,"bytes_total":2}`, lines[1])
	require.JSONEq(t, `{"type":"progress","operation_id":"op","kind":"start","game_id":"g","step":"awaiting_health","at":"2026-01-01T12:00:00Z","record":`+record+`,"revision":6}`, lines[2])
	require.JSONEq(t, `{"type":"result","operation_id":"op","kind":"start","game_id":"g","step":"finished","outcome":`+encodeJSON(t, successOf(m.requests[0]))+`,"record":`+record+`,"revision":7}`, lines[3])

	events := f.send("POST", path, sse, "")
	require.Equal(t, api.EventStreamMediaType, events.Header.Get("Content-Type"))
	require.Regexp(t, `(?s)^retry: 2000\n\nevent: progress\ndata: \{.*\}\n\nevent: progress\n.*event: result\ndata: \{[^\n]*\}\n\n$`, events.body)
	require.NotContains(t, events.body, "id:", "an event of an operation has no id to resume from")

	running := f.send("POST", path+"?wait=running", ndjson, "")
	last := decodeAs[api.OperationEvent](t, running.body[strings.LastIndex(strings.TrimSpace(running.body), "\n")+1:])
	require.Equal(t, "result awaiting_health", last.Type+" "+string(last.Step))
	require.Nil(t, last.Outcome, "the request did not wait for the outcome")
}

// An error before the stream has started is an error response. A later one is the last
// event of the stream.
func TestErrorsOnOperationStreams(t *testing.T) {
	t.Parallel()
	late := make(chan bool, 2)
	m := &fakeNode{execute: func(_ context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
		if <-late {
			report(progressAt(request, operation.StepPulling))
			return failureOf(request, operation.FailureNoImage), container.ErrNoImage
		}
		return operation.Outcome{}, &operation.BusyError{GameID: "g", OperationID: "other"}
	}}
	f := start(t, localNode(m))
	c := contractOf(t, f)
	late <- false
	rejected := f.send("POST", operationPath("g", operation.KindStart), ndjson, "")
	require.Equal(t, http.StatusConflict, rejected.StatusCode)
	require.Equal(t, api.CodeBusy, rejected.problem(t).Code)
	late <- true
	failed := f.send("POST", operationPath("g", operation.KindStart), ndjson, "")
	require.Equal(t, http.StatusOK, failed.StatusCode)
	c.requireDocumented(t, "POST", operationPath("g", operation.KindStart), failed)
	_, last, _ := strings.Cut(failed.body, "\n")
	event := decodeAs[api.OperationEvent](t, last)
	require.Equal(t, "error", event.Type)
	require.Equal(t, api.CodeNoImage, event.Problem.Code)
	require.Equal(t, operation.FailureNoImage, event.Problem.Outcome.Failure.Code)
}

// An idle operation has heartbeats, in both formats.
func TestOperationStreamsHaveHeartbeats(t *testing.T) {
	t.Parallel()
	cfg := localNode(&fakeNode{execute: slowOperation(nil, operation.StepAccepted)})
	cfg.Heartbeat = shortHeartbeat
	f := start(t, cfg)
	_, lines := f.openUntilDone("POST", operationPath("g", operation.KindStop), ndjson, "")
	reader := bufio.NewReader(lines.Body)
	_, err := reader.ReadString('\n')
	require.NoError(t, err)
	for range 3 {
		line, err := reader.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, `{"type":"heartbeat"}`+"\n", line)
		contractOf(t, f).requireValid(t, line, "components", "schemas", "OperationEvent")
	}
	_, events := f.openUntilDone("POST", operationPath("g", operation.KindStop), sse, "")
	beats := bufio.NewScanner(events.Body)
	for beats.Scan() && beats.Text() != ": hb" {
	}
	require.NoError(t, beats.Err())
	require.Equal(t, ": hb", beats.Text())
}

// A stream is sent only if the Accept header names one.
func TestOperationStreamsMustBeRequested(t *testing.T) {
	t.Parallel()
	f := start(t, localNode(&fakeNode{}))
	for accept, media := range map[string]string{
		"":                               "application/json",
		"*/*":                            "application/json",
		"application/json":               "application/json",
		"text/html, */*":                 "application/json",
		"application/json, text/*":       "application/json",
		"application/x-ndjson":           api.NDJSONMediaType,
		"application/x-ndjson, */*":      api.NDJSONMediaType,
		"text/event-stream":              api.EventStreamMediaType,
		"application/x-ndjson;q=0":       "application/json",
		"*/*, application/x-ndjson":      "application/json",
		"text/event-stream; charset=utf": api.EventStreamMediaType,
	} {
		got := f.send("POST", operationPath("g", operation.KindStop), "Accept: "+accept+"\r\n", "")
		require.Equal(t, 200, got.StatusCode, "Accept: %s: %s", accept, got.body)
		require.Equal(t, media, got.Header.Get("Content-Type"), "Accept: %s", accept)
		if media == "application/json" {
			require.True(t, json.Valid([]byte(got.body)))
		}
	}
}

// brokenWriter is a response whose writes fail after the first ones.
type brokenWriter struct {
	http.ResponseWriter
	remaining int
}

func (w *brokenWriter) Write(data []byte) (int, error) {
	if w.remaining--; w.remaining < 0 {
		return 0, net.ErrClosed
	}
	return w.ResponseWriter.Write(data)
}

// Unwrap gives access to the flushing of the inner writer.
func (w *brokenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// The wait for an operation ends when the client does not read a heartbeat, not only at
// the next step.
func TestFailedHeartbeatEndsTheWait(t *testing.T) {
	t.Parallel()
	cfg := localNode(&fakeNode{execute: slowOperation(nil, operation.StepAccepted)})
	cfg.Heartbeat = shortHeartbeat
	server := newServer(t, memstore.New(), cfg)
	r := httptest.NewRequestWithContext(t.Context(), "POST", operationPath("g", operation.KindStop), nil)
	r.Header.Set("Accept", api.NDJSONMediaType)
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Handler().ServeHTTP(&brokenWriter{httptest.NewRecorder(), 2}, r)
	}()
	select {
	case <-done:
	case <-time.After(testTimeout):
		require.Fail(t, "the request still waits for its operation")
	}
}

// The log has the error of an operation that failed, which the response replaces by the
// failure of its outcome.
func TestFailedOperationsAreLogged(t *testing.T) {
	t.Parallel()
	var log logtest.Buffer
	cfg := localNode(&fakeNode{execute: func(_ context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
		report(progressAt(request, operation.StepAccepted))
		if request.Kind == operation.KindStop {
			return operation.Outcome{}, errors.New(internalDetail)
		}
		return failureOf(request, operation.FailureDeadline), errors.New(internalDetail)
	}})
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
	f := start(t, cfg)
	for i, headers := range []string{"", ndjson} {
		for j, kind := range []operation.Kind{operation.KindStop, operation.KindRestart} {
			got := f.send("POST", operationPath("g", kind), headers, "")
			require.NotContains(t, got.body, internalDetail)
			require.Equal(t, 2*i+j+1, strings.Count(log.String(), internalDetail), "%s %s: %s", kind, headers, log.String())
		}
	}
}
