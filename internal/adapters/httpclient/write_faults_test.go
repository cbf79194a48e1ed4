package httpclient_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/storetest"
)

// fault handles one attempt of a write instead of the API.
type fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// faultyServer handles the attempts of writes by the faults of its script, in order. It
// passes later attempts and all reads to the API.
type faultyServer struct {
	script []fault
	mu     sync.Mutex // guards keys
	keys   []string
}

func (f *faultyServer) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		f.mu.Lock()
		attempt := len(f.keys)
		f.keys = append(f.keys, r.Header.Get(api.HeaderIdempotencyKey))
		f.mu.Unlock()
		if attempt < len(f.script) {
			f.script[attempt](w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// attempts returns the idempotency key of each attempt so far.
func (f *faultyServer) attempts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.keys)
}

// apply runs the API and returns its response, which the client does not receive.
func apply(r *http.Request, next http.Handler) *httptest.ResponseRecorder {
	response := httptest.NewRecorder()
	next.ServeHTTP(response, r)
	return response
}

func dropRequest(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

func dropResponse(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	apply(r, next)
	panic(http.ErrAbortHandler)
}

func truncateResponse(w http.ResponseWriter, r *http.Request, next http.Handler) {
	response := apply(r, next)
	w.Header().Set("ETag", response.Header().Get("ETag"))
	w.Header().Set("Content-Length", strconv.Itoa(response.Body.Len()))
	w.WriteHeader(response.Code)
	_, _ = w.Write(response.Body.Bytes()[:response.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func hangAfterApply(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	apply(r, next)
	<-r.Context().Done()
}

func problem(w http.ResponseWriter, status int, code api.Code) {
	w.Header().Set("Content-Type", api.ProblemMediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Problem{Type: api.ProblemTypePrefix + string(code), Title: "scripted", Status: status, Code: code})
}

func unknownAfterApply(w http.ResponseWriter, r *http.Request, next http.Handler) {
	apply(r, next)
	problem(w, http.StatusGatewayTimeout, api.CodeOutcomeUnknown)
}

func unavailable(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	problem(w, http.StatusServiceUnavailable, api.CodeUnavailable)
}

// htmlPage responds as a proxy does, with a page instead of the response of the API.
func htmlPage(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html>"+http.StatusText(status)+"</html>")
}

func badGatewayAfterApply(w http.ResponseWriter, r *http.Request, next http.Handler) {
	apply(r, next)
	htmlPage(w, http.StatusBadGateway)
}

func pageNotFound(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	htmlPage(w, http.StatusNotFound)
}

// noon is the time of every record.
var noon = time.Date(2026, time.March, 1, 12, 0, 0, 123456789, time.UTC)

func running(gameID string) runtime.RuntimeRecord {
	started := noon
	return runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, CurrentContainerID: "c-1",
		CreatedAt: noon, LastOpAt: noon, StartedAt: &started,
	}
}

func stop(gameID string) ports.TransitionInput {
	return ports.TransitionInput{UpdateStatusInput: ports.UpdateStatusInput{
		GameID: gameID, ExpectedFrom: runtime.StatusRunning, ExpectedContainerID: "c-1",
		To: runtime.StatusStopped, Now: noon.Add(time.Minute),
	}}
}

// guardedWrites are writes that would fail if they were applied twice: each has a
// precondition that it invalidates.
func guardedWrites() map[string]func(context.Context, storetest.Store, int64) (runtime.VersionedRecord, error) {
	return map[string]func(context.Context, storetest.Store, int64) (runtime.VersionedRecord, error){
		"create": func(ctx context.Context, s storetest.Store, _ int64) (runtime.VersionedRecord, error) {
			none := int64(0)
			return s.Put(ctx, ports.PutInput{Record: running("new"), IfRevision: &none})
		},
		"overwrite": func(ctx context.Context, s storetest.Store, revision int64) (runtime.VersionedRecord, error) {
			record := running("old")
			record.Region = "eu-west"
			return s.Put(ctx, ports.PutInput{Record: record, IfRevision: &revision})
		},
		"transition": func(ctx context.Context, s storetest.Store, _ int64) (runtime.VersionedRecord, error) {
			return s.Transition(ctx, stop("old"))
		},
	}
}

func TestWritesAreAppliedOnceDespiteLostResponses(t *testing.T) {
	t.Parallel()
	for name, list := range map[string][]fault{
		"request dropped":               {dropRequest},
		"response dropped":              {dropResponse},
		"response truncated":            {truncateResponse},
		"outcome unknown to the server": {unknownAfterApply},
		"gateway's page after apply":    {badGatewayAfterApply},
		"unavailable after a drop":      {dropRequest, unavailable},
		"unavailable after apply":       {dropResponse, unavailable, unavailable},
		"no API there after apply":      {dropResponse, pageNotFound},
		"each of them":                  {dropRequest, truncateResponse, unavailable, badGatewayAfterApply, unknownAfterApply, dropResponse},
	} {
		for kind, write := range guardedWrites() {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				requireAppliedOnce(t, fastRetries(), list, write, false)
				// net/http itself may resend a request that is lost on a kept-alive connection.
				requireAppliedOnce(t, fastRetries(), list, write, true)
			})
		}
	}
}

// A write to a server that applies it and then hangs is retried after the request
// timeout.
func TestWritesAreRetriedOnAHangingServer(t *testing.T) {
	t.Parallel()
	cfg := fastRetries()
	cfg.RequestTimeout = 500 * time.Millisecond
	for kind, write := range guardedWrites() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			requireAppliedOnce(t, cfg, []fault{hangAfterApply}, write, false)
		})
	}
}

func requireAppliedOnce(t *testing.T, cfg httpclient.Config, list []fault, write func(context.Context, storetest.Store, int64) (runtime.VersionedRecord, error), keptAlive bool) {
	t.Helper()
	f := &faultyServer{script: list}
	r := overHTTP(t, cfg, f.middleware)
	old, err := r.store.Put(t.Context(), ports.PutInput{Record: running("old")})
	require.NoError(t, err)
	if keptAlive {
		_, err = r.Get(t.Context(), "old")
		require.NoError(t, err)
	}
	result, err := write(t.Context(), r, old.Revision)
	require.NoError(t, err, "after %d faulty attempts, on a kept-alive connection: %t", len(list), keptAlive)

	keys := f.attempts()
	require.GreaterOrEqual(t, len(keys), len(list)+1, "one attempt more than there were faults")
	require.NotEmpty(t, keys[0], "the key of the first attempt")
	require.Len(t, slices.Compact(slices.Clone(keys)), 1, "the attempts had the keys %q; all must be equal", keys)
	current, err := r.store.GetVersioned(t.Context(), result.Record.GameID)
	require.NoError(t, err)
	require.Equal(t, current, result, "the write returned another record or revision than the store has")
	head, err := r.store.Revision(t.Context())
	require.NoError(t, err)
	require.Equal(t, head, old.Revision+1, "the store's revision after one write")
	history, err := r.store.History(t.Context(), result.Record.GameID)
	require.NoError(t, err)
	require.Equal(t, keys[0], history[0].OperationID, "the operation id of the write")
	require.Equal(t, result.Revision, history[0].Revision)
}
