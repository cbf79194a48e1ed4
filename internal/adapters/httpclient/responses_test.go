package httpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// A truncated error response is not conclusive: the write is retried.
func TestTruncatedErrorResponseIsRetried(t *testing.T) {
	t.Parallel()
	r, f := faultyClient(t, fastRetries(), func(w http.ResponseWriter, request *http.Request, next http.Handler) {
		response := httptest.NewRecorder()
		next.ServeHTTP(response, request)
		w.Header().Set("Content-Type", api.ProblemMediaType)
		w.Header().Set("Content-Length", strconv.Itoa(response.Body.Len()))
		w.WriteHeader(response.Code)
		_, _ = w.Write(response.Body.Bytes()[:response.Body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	wrong := stop("old")
	wrong.ExpectedContainerID = "another"
	_, err := r.Transition(t.Context(), wrong)
	requireOnly(t, runtime.ErrConflict, err)
	require.Len(t, f.attempts(), 2)
}

// Only an error about the operation itself shows the outcome of a write whose first
// attempt was lost. Any other error concerns a later attempt or the connection.
func TestConclusiveErrorsAfterALostAttempt(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for timeouts")
	}
	for name, row := range map[string]struct {
		status int
		code   api.Code
		want   error
	}{
		"conflict":           {http.StatusConflict, api.CodeConflict, runtime.ErrConflict},
		"no such game":       {http.StatusNotFound, api.CodeNotFound, runtime.ErrNotFound},
		"invalid":            {http.StatusUnprocessableEntity, api.CodeInvalid, runtime.ErrInvalid},
		"invalid transition": {http.StatusUnprocessableEntity, api.CodeInvalidTransition, runtime.ErrInvalidTransition},
		"read-only":          {http.StatusInsufficientStorage, api.CodeReadOnly, runtime.ErrReadOnly},
		"corrupt":            {http.StatusInternalServerError, api.CodeCorrupt, runtime.ErrOutcomeUnknown},
		"incompatible":       {http.StatusInternalServerError, api.CodeIncompatible, runtime.ErrOutcomeUnknown},
		"unavailable":        {http.StatusServiceUnavailable, api.CodeUnavailable, runtime.ErrOutcomeUnknown},
		"internal":           {http.StatusInternalServerError, api.CodeInternal, runtime.ErrOutcomeUnknown},
		"host rejected":      {http.StatusMisdirectedRequest, api.CodeHostRejected, runtime.ErrOutcomeUnknown},
		"no such route":      {http.StatusNotFound, api.CodeNoSuchRoute, runtime.ErrOutcomeUnknown},
		"cross origin":       {http.StatusForbidden, api.CodeCrossOrigin, runtime.ErrOutcomeUnknown},
		"unknown code":       {http.StatusTeapot, "teapot", runtime.ErrOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := fastRetries()
			if errors.Is(row.want, runtime.ErrOutcomeUnknown) {
				cfg.WriteTimeout = time.Second // the client retries until then
			}
			cfg.MinBackoff, cfg.MaxBackoff = 20*time.Millisecond, 200*time.Millisecond
			client, _ := scriptedClient(t, cfg,
				func(s exchange) { s.dropConnection() },
				func(s exchange) { problem(s.w, row.status, row.code) },
			)
			_, err := client.Transition(t.Context(), stop("old"))
			requireOnly(t, row.want, err)
			require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context did not end")
		})
	}
}

// The response to a write must have the record's revision. A weak ETag, from a proxy that
// compresses, is accepted.
func TestWriteResponsesWithoutARevision(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for timeouts")
	}
	body, err := json.Marshal(running("old"))
	require.NoError(t, err)
	respond := func(tag string) func(exchange) {
		return func(s exchange) {
			s.w.Header().Set("Content-Type", "application/json")
			s.w.Header().Set("ETag", tag)
			_, _ = s.w.Write(body)
		}
	}
	weak, _ := scriptedClient(t, fastRetries(), respond(`W/"7"`))
	stopped, err := weak.Transition(t.Context(), stop("old"))
	require.NoError(t, err)
	require.EqualValues(t, 7, stopped.Revision)

	cfg := fastRetries()
	cfg.WriteTimeout = time.Second
	cfg.MinBackoff, cfg.MaxBackoff = 20*time.Millisecond, 200*time.Millisecond
	for _, tag := range []string{"", `"x"`, `"0"`, `"-3"`} {
		t.Run("tag "+tag, func(t *testing.T) {
			t.Parallel()
			none, _ := scriptedClient(t, cfg, respond(tag))
			_, err := none.Transition(t.Context(), stop("old"))
			requireOnly(t, runtime.ErrOutcomeUnknown, err)
			_, err = none.Get(t.Context(), "old")
			require.ErrorContains(t, err, "is not a revision", "get of a record with the ETag %s", tag)
		})
	}
}

// A repair may have started before its response was lost.
func TestRepairOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]func(exchange){
		"dropped":        func(s exchange) { s.dropConnection() },
		"gateway's page": func(s exchange) { htmlPage(s.w, http.StatusGatewayTimeout) },
		"internal error": func(s exchange) { problem(s.w, http.StatusInternalServerError, api.CodeInternal) },
		"no report": func(s exchange) {
			s.w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(s.w, `{"clean":`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, requests := scriptedClient(t, fastRetries(), respond)
			report, err := client.Check(t.Context(), true)
			requireOnly(t, runtime.ErrOutcomeUnknown, err)
			require.Zero(t, report)
			require.EqualValues(t, 1, requests.Load(), "a repair is not retried")
		})
	}
}

// A success status does not prove that the response comes from the API.
func TestSuccessResponsesOfAnotherServer(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]func(exchange){
		"a page":     func(s exchange) { htmlPage(s.w, http.StatusOK) },
		"no content": func(s exchange) { s.w.WriteHeader(http.StatusNoContent) },
		"another object": func(s exchange) {
			s.w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(s.w, `{"ok":true}`)
		},
		"null": func(s exchange) {
			s.w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(s.w, `null`)
		},
	} {
		for _, call := range []string{"get", "list", "info", "revision", "check"} {
			t.Run(name+"/"+call, func(t *testing.T) {
				t.Parallel()
				client, _ := scriptedClient(t, fastRetries(), respond)
				require.Error(t, everyCall()[call](t.Context(), client), "%s from another server", call)
			})
		}
	}
}

// An error about a header names the field that the header contains.
func TestInvalidErrorsNameTheFieldNotTheHeader(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"operation_id", "actor", "reason", "region", "now"} {
		for _, call := range []string{"put", "transition"} {
			want := &runtime.InvalidError{Field: field, Reason: "is invalid"}
			client := clientOfFailingStore(t, fastRetries(), func() error { return want })
			require.Equal(t, error(want), everyCall()[call](t.Context(), client), "%s rejected for its %s", call, field)
		}
	}
}
