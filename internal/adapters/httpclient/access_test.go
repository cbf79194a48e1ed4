package httpclient_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func problemOf(status int, code api.Code) *api.Problem {
	return &api.Problem{Type: api.ProblemTypePrefix + string(code), Title: "rejected", Status: status, Detail: "rejected by the script", Code: code}
}

func sendProblem(s exchange, p *api.Problem) {
	s.w.Header().Set("Content-Type", api.ProblemMediaType)
	s.w.WriteHeader(p.Status)
	_ = json.NewEncoder(s.w).Encode(p)
}

func TestRejectedCallers(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]struct {
		code api.Code
		err  error
	}{401: {api.CodeUnauthenticated, access.ErrUnauthenticated}, 403: {api.CodeForbidden, access.ErrForbidden}} {
		client, requests := scriptedClient(t, httpclient.Config{}, func(s exchange) { sendProblem(s, problemOf(status, want.code)) })
		_, err := client.Info(t.Context())
		require.ErrorIs(t, err, want.err)
		_, err = client.Transition(t.Context(), stop("game-1"))
		require.ErrorIs(t, err, want.err)
		for _, err := range client.Watch(t.Context(), ports.WatchOptions{}) {
			require.ErrorIs(t, err, want.err)
		}
		require.EqualValues(t, 3, requests.Load(), "no retry")
	}
}

// A write that may have been applied is not retried with credentials that are rejected.
func TestAWriteEndsWhenTheCallerIsRejected(t *testing.T) {
	t.Parallel()
	client, requests := scriptedClient(t, httpclient.Config{},
		func(s exchange) { s.w.WriteHeader(http.StatusBadGateway) },
		func(s exchange) { sendProblem(s, problemOf(401, api.CodeUnauthenticated)) })
	_, err := client.Transition(t.Context(), stop("game-1"))
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
	require.EqualValues(t, 2, requests.Load())
}

// A watch continues with the current token after its token has expired, and ends when that is
// rejected as well.
func TestAWatchContinuesWithTheCurrentToken(t *testing.T) {
	t.Parallel()
	tokens, received := []string{"expiring", "next", "revoked"}, []string(nil)
	credentials := httpclient.Credentials{Token: func(context.Context) (string, error) { return tokens[len(received)], nil }}
	cfg := fastRetries()
	cfg.Credentials = credentials
	client, _ := scriptedClient(t, cfg, func(s exchange) {
		received = append(received, s.r.Header.Get("Authorization"))
		if len(received) == 3 {
			sendProblem(s, problemOf(401, api.CodeUnauthenticated))
			return
		}
		s.openStream("store").sendEvents(api.Event{Type: string(ports.EventSynced), Revision: int64(len(received)), Last: true}).sendFinalError(401, api.CodeUnauthenticated)
	})
	events := 0
	var last error
	for event, err := range client.Watch(t.Context(), ports.WatchOptions{}) {
		if last = err; event.Type != "" {
			events++
		}
	}
	require.ErrorIs(t, last, access.ErrUnauthenticated)
	require.Equal(t, []string{"Bearer expiring", "Bearer next", "Bearer revoked"}, received)
	require.Positive(t, events)
}

// An operation whose stream ends with the token is not lost: the next attempt joins it.
func TestAnOperationContinuesWithTheCurrentToken(t *testing.T) {
	t.Parallel()
	request := ports.OperationRequest{GameID: "g", Kind: operation.KindStop}
	stopping := api.ProgressEvent(progressAt(request, operation.StepStopping))
	expired := func(s exchange) {
		s.openStream("").sendOperationEvents(stopping, api.OperationEvent{Type: api.TypeError, Problem: problemOf(401, api.CodeUnauthenticated)})
	}
	client, _ := scriptedClient(t, fastRetries(), expired, func(s exchange) {
		r := request
		r.Origin.OperationID = s.r.Header.Get(api.HeaderIdempotencyKey)
		s.openStream("").sendOperationEvents(api.ResultEvent(api.ResultOf("g", successOf(r))))
	})
	_, err := client.Execute(t.Context(), request, nil)
	require.NoError(t, err)

	rejected, requests := scriptedClient(t, fastRetries(), expired)
	_, err = rejected.Execute(t.Context(), request, nil)
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
	require.EqualValues(t, 2, requests.Load())
}

func TestUnexpectedResponsesOfAccessRoutes(t *testing.T) {
	t.Parallel()
	client, _ := scriptedClient(t, httpclient.Config{}, func(s exchange) {
		s.w.Header().Set("Content-Type", "application/json")
		_, _ = s.w.Write([]byte("{}"))
	})
	_, err := client.Identity(t.Context())
	require.ErrorContains(t, err, "an identity")
	_, err = client.Decide(t.Context(), httpclient.Question{Verb: "stop"})
	require.ErrorContains(t, err, "a decision")
	_, err = client.Tokens(t.Context())
	require.ErrorContains(t, err, "a list of tokens")
	_, err = client.Roles(t.Context())
	require.ErrorContains(t, err, "a list of roles")
	_, err = client.CreateToken(t.Context(), "ci", nil, 0)
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
}
