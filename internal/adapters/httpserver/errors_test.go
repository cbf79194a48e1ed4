package httpserver_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/logtest"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// failingStore is a store that returns its identity and fails all other calls.
type failingStore struct {
	*memstore.Store
	err error
}

func newFailingStore(err error) *failingStore { return &failingStore{memstore.New(), err} }

func (s *failingStore) GetVersioned(context.Context, string) (runtime.VersionedRecord, error) {
	return runtime.VersionedRecord{}, s.err
}

func (*failingStore) ReadSnapshot(context.Context, ports.PageQuery) (ports.RecordSnapshot, error) {
	return nil, nil
}

func (s *failingStore) ListPage(context.Context, ports.PageQuery) (ports.Page, error) {
	return ports.Page{}, s.err
}

func (s *failingStore) Put(context.Context, ports.PutInput) (runtime.VersionedRecord, error) {
	return runtime.VersionedRecord{}, s.err
}

func (s *failingStore) Transition(context.Context, ports.TransitionInput) (runtime.VersionedRecord, error) {
	return runtime.VersionedRecord{}, s.err
}

func (s *failingStore) History(context.Context, string) ([]runtime.LedgerEntry, error) {
	return nil, s.err
}

func (s *failingStore) Check(context.Context, bool) (ports.CheckReport, error) {
	return ports.CheckReport{}, s.err
}

func (s *failingStore) Watch(context.Context, ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) { yield(ports.RuntimeEvent{}, s.err) }
}

// TestErrorsOverHTTP is the table from errors of the store to problems, for every
// operation that can return the error.
func TestErrorsOverHTTP(t *testing.T) {
	t.Parallel()
	const (
		list, get, put, move, history = "GET /v1/runtimes", "GET /v1/runtimes/g", "PUT /v1/runtimes/g", "POST /v1/runtimes/g/status", "GET /v1/runtimes/g/history"
		check, repair, watch          = "GET /v1/fsck", "POST /v1/fsck/repair", "GET /v1/watch"
	)
	every := []string{list, get, put, move, history, check, repair, watch}
	writes, games := []string{put, move}, []string{get, history, move}
	revisions, values := []string{list, watch}, []string{get, put, move}
	for _, row := range []struct {
		err    error
		status int
		code   api.Code
		from   []string
		// hidden: the error's own text is not sent
		terse bool
	}{
		{runtime.ErrNotFound, 404, api.CodeNotFound, games, false},
		{&runtime.ConflictError{GameID: "g", Precondition: runtime.PreconditionStatus, Expected: "running", Actual: "stopped", Current: recordOf("g"), Revision: 7}, 409, api.CodeConflict, []string{move}, false},
		{&runtime.ConflictError{GameID: "g", Precondition: runtime.PreconditionContainerID, Expected: "a", Actual: "b", Current: recordOf("g"), Revision: 7}, 409, api.CodeConflict, []string{move}, false},
		{&runtime.ConflictError{GameID: "g", Precondition: runtime.PreconditionRevision, Expected: "3", Actual: "7", Current: recordOf("g"), Revision: 7}, 412, api.CodePreconditionFailed, []string{put}, false},
		{&runtime.ConflictError{GameID: "g", Precondition: runtime.PreconditionRevision, Expected: "3", Actual: "0"}, 412, api.CodePreconditionFailed, []string{put}, false},
		{runtime.ErrFenced, 409, api.CodeFenced, []string{move}, false},
		{&runtime.TransitionError{From: "removed", To: "running"}, 422, api.CodeInvalidTransition, []string{move}, false},
		{&runtime.InvalidError{Field: "operation_id", Reason: "is odd"}, 400, api.CodeInvalid, writes, false},
		{&runtime.InvalidError{Field: "record", Reason: "is too large"}, 422, api.CodeInvalid, []string{put}, false},
		{&runtime.InvalidError{Field: "limit", Reason: "is odd"}, 400, api.CodeInvalid, []string{list}, false},
		{runtime.ErrCompacted, 410, api.CodeCompacted, revisions, false},
		{runtime.ErrForeignRevision, 400, api.CodeForeignRevision, revisions, false},
		{&runtime.CorruptError{Key: "/runtimes/g", GameID: "g", Reason: "is not JSON"}, 500, api.CodeCorrupt, values, false},
		{runtime.ErrOutcomeUnknown, 504, api.CodeOutcomeUnknown, writes, true},
		{errors.Join(runtime.ErrOutcomeUnknown, context.DeadlineExceeded), 504, api.CodeOutcomeUnknown, writes, true},
		{errors.Join(context.Canceled, runtime.ErrOutcomeUnknown), 504, api.CodeOutcomeUnknown, writes, true},
		{runtime.ErrReadOnly, 507, api.CodeReadOnly, []string{put, move, repair}, true},
		{runtime.ErrUnavailable, 503, api.CodeUnavailable, every, true},
		{context.DeadlineExceeded, 503, api.CodeUnavailable, every, true},
		{context.Canceled, 503, api.CodeUnavailable, every, true},
		{runtime.ErrIncompatible, 503, api.CodeIncompatible, every, false},
		{errors.New("an unknown error"), 500, api.CodeInternal, every, true},
	} {
		f := startWithStore(t, newFailingStore(fmt.Errorf("%s: %w", internalDetail, row.err)), httpserver.Config{})
		c := contractOf(t, f)
		for _, call := range row.from {
			method, path, _ := strings.Cut(call, " ")
			got := f.send(method, path, "", map[string]string{put: runningRecord, move: stopChange}[call])
			require.Equal(t, row.status, got.StatusCode, "%s when the store returns %v: %s", call, row.err, got.body)
			p := got.problem(t)
			require.Equal(t, row.code, p.Code, "%s when the store returns %v", call, row.err)
			require.NotEmpty(t, p.Detail, call)
			require.Equal(t, row.status == 503, got.Header.Get("Retry-After") == "1", "Retry-After of %s when the store returns %v", call, row.err)
			if row.terse {
				require.NotContains(t, got.body, internalDetail, call)
				require.NotContains(t, got.body, "never existed", call)
			}
			c.requireDocumented(t, method, path, got)
		}
	}
}

// The data of an error is in members of the problem.
func TestProblemsHaveTheDataOfTheError(t *testing.T) {
	t.Parallel()
	current := recordOf("g")
	conflict := sendToFailing(t, &runtime.ConflictError{GameID: "g", Precondition: runtime.PreconditionContainerID, Expected: "a", Actual: "c-g", Current: current, Revision: 7}, "POST", bodyPost, stopChange)
	require.Equal(t, api.Problem{
		Type: api.ProblemTypePrefix + "conflict", Title: "Record is not as expected", Status: 409, Code: "conflict", Detail: conflict.Detail, RequestID: conflict.RequestID,
		Precondition: "container_id", Expected: "a", Actual: "c-g", Current: &current, Revision: 7, GameID: "g",
	}, conflict)
	absent := sendToFailing(t, &runtime.ConflictError{GameID: "g", Precondition: runtime.PreconditionRevision, Expected: "3", Actual: "0"}, "PUT", bodyPut, runningRecord)
	require.Nil(t, absent.Current, "there is no current record")
	require.Equal(t, "revision 3 0", strings.Join([]string{string(absent.Precondition), absent.Expected, absent.Actual}, " "))
	pair := sendToFailing(t, &runtime.TransitionError{From: "removed", To: "stopped"}, "POST", bodyPost, stopChange)
	require.Equal(t, "removed stopped", string(pair.From+" "+pair.To))
	corruptProblem := sendToFailing(t, &runtime.CorruptError{Key: "/runtimes/g", GameID: "g", Reason: "is not JSON"}, "GET", "/v1/runtimes/g", "")
	require.Equal(t, "/runtimes/g g is not JSON", strings.Join([]string{corruptProblem.Key, corruptProblem.GameID, corruptProblem.Reason}, " "))
	many := sendToFailing(t, errors.Join(&runtime.InvalidError{Field: "region", Reason: "is odd"}, &runtime.InvalidError{Field: "actor", Reason: "is long"},
		&runtime.InvalidError{Field: "reason", Reason: "is longer"}), "PUT", bodyPut, runningRecord)
	require.Equal(t, "body.region header.Rtmanager-Actor header.Rtmanager-Reason", faultLocations(many))
	require.Equal(t, 422, many.Status, "one fault in the body makes it a 422")
}

// The size of a response is bounded, however many errors a request has.
func TestErrorsOfARequestAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, localNode(&fakeNode{}))
	unknown, env, query := map[string]int{}, map[string]string{}, ""
	for i := range 50_000 {
		unknown[strconv.Itoa(i)] = i
	}
	for i := range 1000 {
		env["="+strconv.Itoa(i)] = ""
		query += "&x" + strconv.Itoa(i) + "=1"
	}
	for name, row := range map[string]struct{ method, path, body, last string }{
		"unknown members":    {"POST", operationPath("g", operation.KindStart), encodeJSON(t, unknown), "body"},
		"fields of a domain": {"POST", operationPath("g", operation.KindStart), encodeJSON(t, map[string]any{"env": env}), "body"},
		"items of a list":    {"POST", "/v1/drift/apply", `{"findings":[{}` + strings.Repeat(",{}", 300_000) + "]}", "body"},
		"query":              {"GET", "/v1/runtimes?" + query, "", "query"},
	} {
		got := f.send(row.method, row.path, "", row.body)
		require.Less(t, len(got.body), 64<<10, name)
		errs := got.problem(t).Errors
		require.Equal(t, row.last, errs[len(errs)-1].Location, "%s: %.300s", name, got.body)
	}
}

// A request that is invalid by itself is rejected although the store fails.
func TestInvalidBodiesAreRejectedBeforeTheStoreIsCalled(t *testing.T) {
	t.Parallel()
	pair := sendToFailing(t, runtime.ErrUnavailable, "POST", bodyPost, `{"expected_from":"removed","to":"running"}`)
	require.Equal(t, api.CodeInvalidTransition, pair.Code)
	zero := sendToFailing(t, runtime.ErrUnavailable, "POST", bodyPost, withMember(stopChange, "now", `"0001-01-01T00:00:00Z"`))
	require.Equal(t, "body.now", faultLocations(zero))
	record := sendToFailing(t, runtime.ErrUnavailable, "PUT", bodyPut, withMember(runningRecord, "current_container_id", `""`))
	require.Equal(t, "body.current_container_id", faultLocations(record))
}

func sendToFailing(t *testing.T, err error, method, path, body string) api.Problem {
	t.Helper()
	return startWithStore(t, newFailingStore(err), httpserver.Config{}).send(method, path, "", body).problem(t)
}

// The log has what the response hides, and nothing for a client's own mistakes.
func TestFaultsOfTheServerAreLogged(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err    error
		logged bool
	}{{runtime.ErrUnavailable, true}, {errors.New("odd"), true}, {runtime.ErrIncompatible, true}, {runtime.ErrNotFound, false}, {runtime.ErrCompacted, false}} {
		var log logtest.Buffer
		f := startWithStore(t, newFailingStore(fmt.Errorf("%s: %w", internalDetail, row.err)), httpserver.Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
		require.NotEqual(t, http.StatusOK, f.send("GET", "/v1/runtimes/g", "", "").StatusCode)
		require.Equal(t, row.logged, strings.Contains(log.String(), internalDetail), "after %v the log has %q", row.err, log.String())
	}
}

// A client that writes to a read-only store does not fill the log.
func TestReadOnlyIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log logtest.Buffer
	store := newFailingStore(runtime.ErrReadOnly)
	s := serve(t, store, httpserver.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		require.Equal(t, http.StatusInsufficientStorage, s.send("PUT", bodyPut, "", runningRecord).StatusCode)
	}
	require.Equal(t, 1, strings.Count(log.String(), "request failed"), log.String())
	require.Contains(t, log.String(), "level=WARN")
	store.err = nil
	require.Equal(t, http.StatusOK, s.send("PUT", bodyPut, "", runningRecord).StatusCode)
	store.err = runtime.ErrReadOnly
	require.Equal(t, http.StatusInsufficientStorage, s.send("PUT", bodyPut, "", runningRecord).StatusCode)
	require.Equal(t, 2, strings.Count(log.String(), "request failed"), "the store has accepted a write in between")
}
