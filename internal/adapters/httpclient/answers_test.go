package httpclient_test

import (
	"context"
	"encoding/json"
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

// A refusal whose text is cut off is not yet a refusal: what the store said is
// asked for again.
func TestRefusalThatIsCutOffIsAskedForAgain(t *testing.T) {
	t.Parallel()
	r, f := spoiled(t, patient(), func(w http.ResponseWriter, request *http.Request, next http.Handler) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, request)
		w.Header().Set("Content-Type", api.ProblemMediaType)
		w.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	wrong := stop("old")
	wrong.ExpectedContainerID = "another"
	_, err := r.Transition(t.Context(), wrong)
	requireOnly(t, runtime.ErrConflict, err)
	require.Len(t, f.tries(), 2)
}

// Only what the store says of the operation itself settles a write whose first
// try was lost. Everything else says something of a later try, or of the way.
func TestWhatSettlesALostWrite(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		status int
		code   string
		want   error
	}{
		"conflict":           {http.StatusConflict, api.CodeConflict, runtime.ErrConflict},
		"no such game":       {http.StatusNotFound, api.CodeNotFound, runtime.ErrNotFound},
		"invalid":            {http.StatusUnprocessableEntity, api.CodeInvalid, runtime.ErrInvalid},
		"invalid transition": {http.StatusUnprocessableEntity, api.CodeInvalidTransition, runtime.ErrInvalidTransition},
		"read-only":          {http.StatusInsufficientStorage, api.CodeReadOnly, runtime.ErrReadOnly},
		"damaged":            {http.StatusInternalServerError, api.CodeCorrupt, runtime.ErrOutcomeUnknown},
		"incompatible":       {http.StatusInternalServerError, api.CodeIncompatible, runtime.ErrOutcomeUnknown},
		"unavailable":        {http.StatusServiceUnavailable, api.CodeUnavailable, runtime.ErrOutcomeUnknown},
		"internal":           {http.StatusInternalServerError, api.CodeInternal, runtime.ErrOutcomeUnknown},
		"host refused":       {http.StatusMisdirectedRequest, api.CodeHostRefused, runtime.ErrOutcomeUnknown},
		"no such route":      {http.StatusNotFound, api.CodeNoSuchRoute, runtime.ErrOutcomeUnknown},
		"cross origin":       {http.StatusForbidden, api.CodeCrossOrigin, runtime.ErrOutcomeUnknown},
		"unheard of":         {http.StatusTeapot, "teapot", runtime.ErrOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := patient()
			cfg.WriteTimeout = time.Second
			cfg.MinBackoff, cfg.MaxBackoff = 20*time.Millisecond, 200*time.Millisecond
			client, _ := playing(t, cfg,
				func(s stage) { s.cut() },
				func(s stage) { problem(s.w, row.status, row.code) },
			)
			_, err := client.Transition(t.Context(), stop("old"))
			requireOnly(t, row.want, err)
			require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context did not end")
		})
	}
}

// A record is the answer to a write only with its revision. A proxy that
// compresses makes the tag a weak one, which is as good.
func TestAnswersWithoutATag(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(running("old"))
	require.NoError(t, err)
	answer := func(tag string) func(stage) {
		return func(s stage) {
			s.w.Header().Set("Content-Type", "application/json")
			s.w.Header().Set("ETag", tag)
			_, _ = s.w.Write(body)
		}
	}
	weak, _ := playing(t, patient(), answer(`W/"7"`))
	written, err := weak.Transition(t.Context(), stop("old"))
	require.NoError(t, err)
	require.EqualValues(t, 7, written.Revision)

	cfg := patient()
	cfg.WriteTimeout = time.Second
	cfg.MinBackoff, cfg.MaxBackoff = 20*time.Millisecond, 200*time.Millisecond
	for _, tag := range []string{"", `"x"`, `"0"`, `"-3"`} {
		t.Run("tag "+tag, func(t *testing.T) {
			t.Parallel()
			none, _ := playing(t, cfg, answer(tag))
			_, err := none.Transition(t.Context(), stop("old"))
			requireOnly(t, runtime.ErrOutcomeUnknown, err)
			_, err = none.Get(t.Context(), "old")
			require.ErrorContains(t, err, "is not a revision", "get of a record with the tag %s", tag)
		})
	}
}

// A repair may have begun before its answer was lost, whoever lost it.
func TestRepairOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, scene := range map[string]func(stage){
		"dropped":              func(s stage) { s.cut() },
		"gateway's page":       func(s stage) { page(s.w, http.StatusGatewayTimeout) },
		"an unexplained fault": func(s stage) { problem(s.w, http.StatusInternalServerError, api.CodeInternal) },
		"no report": func(s stage) {
			s.w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(s.w, `{"clean":`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, requests := playing(t, patient(), scene)
			report, err := client.Check(t.Context(), true)
			requireOnly(t, runtime.ErrOutcomeUnknown, err)
			require.Zero(t, report)
			require.EqualValues(t, 1, requests.Load(), "a repair is not repeated")
		})
	}
}

// Whatever answers with success is not therefore the API.
func TestSuccessOfSomethingElse(t *testing.T) {
	t.Parallel()
	for name, scene := range map[string]func(stage){
		"a page":     func(s stage) { page(s.w, http.StatusOK) },
		"no content": func(s stage) { s.w.WriteHeader(http.StatusNoContent) },
		"another object": func(s stage) {
			s.w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(s.w, `{"ok":true}`)
		},
		"null": func(s stage) {
			s.w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(s.w, `null`)
		},
	} {
		for _, call := range []string{"get", "list", "info", "revision", "check"} {
			t.Run(name+"/"+call, func(t *testing.T) {
				t.Parallel()
				client, _ := playing(t, patient(), scene)
				require.Error(t, everyCall()[call](t.Context(), client), "%s of something else", call)
			})
		}
	}
}

// A field that travels as a header is named as the field again.
func TestFaultsNameTheFieldNotTheHeader(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"operation_id", "actor", "reason", "region", "now"} {
		for _, call := range []string{"put", "transition"} {
			want := &runtime.InvalidError{Field: field, Reason: "is odd"}
			client := farFrom(t, patient(), func() error { return want })
			require.Equal(t, error(want), everyCall()[call](t.Context(), client), "%s refused for its %s", call, field)
		}
	}
}
