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
)

// fault is what becomes of one try of a write in place of its plain handling.
type fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// faults spoils the tries of writes, one each in order, and lets later tries
// and everything else through.
type faults struct {
	list []fault
	mu   sync.Mutex // guards keys
	keys []string
}

func (f *faults) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		f.mu.Lock()
		try := len(f.keys)
		f.keys = append(f.keys, r.Header.Get(api.HeaderIdempotencyKey))
		f.mu.Unlock()
		if try < len(f.list) {
			f.list[try](w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// tries returns the idempotency key of each try so far.
func (f *faults) tries() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.keys)
}

// applied runs the API and keeps its answer from the client.
func applied(r *http.Request, next http.Handler) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, r)
	return answer
}

func dropBefore(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

func dropAfter(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	applied(r, next)
	panic(http.ErrAbortHandler)
}

func cutBody(w http.ResponseWriter, r *http.Request, next http.Handler) {
	answer := applied(r, next)
	w.Header().Set("ETag", answer.Header().Get("ETag"))
	w.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func silentAfter(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	applied(r, next)
	<-r.Context().Done()
}

func problem(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", api.ProblemMediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Problem{Type: api.ProblemTypePrefix + code, Title: "spoiled", Status: status, Code: code})
}

func unknownAfter(w http.ResponseWriter, r *http.Request, next http.Handler) {
	applied(r, next)
	problem(w, http.StatusGatewayTimeout, api.CodeOutcomeUnknown)
}

func unavailable(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	problem(w, http.StatusServiceUnavailable, api.CodeUnavailable)
}

// page answers as a proxy does that has no use for the API behind it.
func page(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html>"+http.StatusText(status)+"</html>")
}

func badGatewayAfter(w http.ResponseWriter, r *http.Request, next http.Handler) {
	applied(r, next)
	page(w, http.StatusBadGateway)
}

func pageNotFound(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	page(w, http.StatusNotFound)
}

// patient repeats quickly and gives up only after any test would have.
func patient() httpclient.Config {
	return httpclient.Config{WriteTimeout: time.Minute, MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}
}

// noon is the clock of every record here.
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

// writes are those that a repetition would spoil: each expects what it changes.
func writes() map[string]func(context.Context, ports.Store, int64) (runtime.VersionedRecord, error) {
	return map[string]func(context.Context, ports.Store, int64) (runtime.VersionedRecord, error){
		"create": func(ctx context.Context, s ports.Store, _ int64) (runtime.VersionedRecord, error) {
			none := int64(0)
			return s.Put(ctx, ports.PutInput{Record: running("new"), IfRevision: &none})
		},
		"overwrite": func(ctx context.Context, s ports.Store, revision int64) (runtime.VersionedRecord, error) {
			record := running("old")
			record.Region = "eu-west"
			return s.Put(ctx, ports.PutInput{Record: record, IfRevision: &revision})
		},
		"transition": func(ctx context.Context, s ports.Store, _ int64) (runtime.VersionedRecord, error) {
			return s.Transition(ctx, stop("old"))
		},
	}
}

func TestWritesAreAppliedOnceWhateverBecomesOfTheirAnswers(t *testing.T) {
	t.Parallel()
	for name, list := range map[string][]fault{
		"dropped before it ran":         {dropBefore},
		"dropped after it ran":          {dropAfter},
		"answer cut in the middle":      {cutBody},
		"outcome unknown to the server": {unknownAfter},
		"gateway's page after it ran":   {badGatewayAfter},
		"unavailable after a drop":      {dropBefore, unavailable},
		"unavailable after it ran":      {dropAfter, unavailable, unavailable},
		"no API there after it ran":     {dropAfter, pageNotFound},
		"each of them":                  {dropBefore, cutBody, unavailable, badGatewayAfter, unknownAfter, dropAfter},
	} {
		for kind, write := range writes() {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				requireOnce(t, patient(), list, write, false)
				// HTTP itself may send again what is lost on a kept connection.
				requireOnce(t, patient(), list, write, true)
			})
		}
	}
}

// A server that took the write and fell silent is asked again after one try's time.
func TestWritesAreRepeatedToASilentServer(t *testing.T) {
	t.Parallel()
	cfg := patient()
	cfg.RequestTimeout = 500 * time.Millisecond
	for kind, write := range writes() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			requireOnce(t, cfg, []fault{silentAfter}, write, false)
		})
	}
}

func requireOnce(t *testing.T, cfg httpclient.Config, list []fault, write func(context.Context, ports.Store, int64) (runtime.VersionedRecord, error), kept bool) {
	t.Helper()
	f := &faults{list: list}
	r := overHTTP(t, cfg, f.middleware)
	old, err := r.store.Put(t.Context(), ports.PutInput{Record: running("old")})
	require.NoError(t, err)
	if kept {
		_, err = r.Get(t.Context(), "old")
		require.NoError(t, err)
	}
	written, err := write(t.Context(), r, old.Revision)
	require.NoError(t, err, "after %d spoiled tries, on a kept connection: %t", len(list), kept)

	keys := f.tries()
	require.GreaterOrEqual(t, len(keys), len(list)+1, "one try more than were spoiled")
	require.NotEmpty(t, keys[0], "the key of the first try")
	require.Len(t, slices.Compact(slices.Clone(keys)), 1, "the tries carried the keys %q; all must be the same", keys)
	stands, err := r.store.GetVersioned(t.Context(), written.Record.GameID)
	require.NoError(t, err)
	require.Equal(t, stands, written, "the write returned another record or revision than the store holds")
	head, err := r.store.Revision(t.Context())
	require.NoError(t, err)
	require.Equal(t, head, old.Revision+1, "the store's revision after one write")
	history, err := r.store.History(t.Context(), written.Record.GameID)
	require.NoError(t, err)
	require.Equal(t, keys[0], history[0].OperationID, "the operation that wrote")
	require.Equal(t, written.Revision, history[0].Revision)
}
