package httpserver_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// invalidRequest is one request that must be rejected, and how. In the store g is
// running, s is stopped and r is removed, and all revisions before the current one are
// compacted.
type invalidRequest struct {
	name, method, path, headers, body string

	status int
	code   api.Code
	at     string // the locations of its faults, separated by spaces; empty for a code without faults
}

// invalidRequests returns every invalid request of these tests.
func invalidRequests(storeID string) []invalidRequest {
	var rows []invalidRequest
	for _, topic := range [][]invalidRequest{
		invalidIDs(), invalidJSON(), invalidRecords(), invalidChanges(), invalidBodyHeaders(),
		invalidHeaders(), invalidQueries(storeID), invalidRevisions(), invalidRoutes(), foreignOrigins(), invalidOperations(), invalidDriftRequests(),
	} {
		rows = append(rows, topic...)
	}
	return rows
}

// TestInvalidRequests sends every invalid request. Each must be rejected by a documented
// problem that names the fault, and must write nothing.
func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	m := &fakeNode{execute: func(context.Context, ports.OperationRequest, func(operation.Progress)) (operation.Outcome, error) {
		panic("an invalid request arrived at the node")
	}}
	cfg := localNode(m)
	cfg.OpenDelay = testTimeout
	f := startWithRecords(t, cfg)
	c := contractOf(t, f)
	rows := invalidRequests(f.storeID())
	require.GreaterOrEqual(t, len(rows), 120, "invalid requests")
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			before, err := f.store.Revision(t.Context())
			require.NoError(t, err)
			got := f.on(t).send(row.method, row.path, row.headers, row.body)
			after, err := f.store.Revision(t.Context())
			require.NoError(t, err)

			require.Equal(t, before, after, "a rejected request must write nothing; the response is %d: %s", got.StatusCode, got.body)
			require.Equal(t, row.status, got.StatusCode, "status of %s %.100s; the response is: %s", row.method, row.path, got.body)
			p := got.problem(t)
			require.Equal(t, row.code, p.Code, "code of %s", got.body)
			require.Equal(t, row.at, faultLocations(p), "locations of the faults in %s", got.body)
			for place := range strings.FieldsSeq(row.at) {
				require.Contains(t, p.Detail, place, "the detail must name the fault too")
			}
			require.NotEmpty(t, p.Detail)
			require.Equal(t, row.status == http.StatusMethodNotAllowed, got.Header.Get("Allow") != "", "Allow: %q", got.Header.Get("Allow"))
			require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"))
			require.Equal(t, "no-store", got.Header.Get("Cache-Control"))
			if row.code != api.CodeNoSuchRoute && c.operation(row.method, row.path) != nil {
				c.requireDocumented(t, row.method, row.path, got)
				return
			}
			require.Contains(t, []api.Code{api.CodeNoSuchRoute, api.CodeMethodNotAllowed, api.CodeHostRejected, api.CodeInvalid}, row.code,
				"a response that no operation documents")
		})
	}
}

func TestInvalidRequestsHaveUniqueNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, row := range invalidRequests("a store") {
		require.False(t, seen[row.name], "two requests have the name %q", row.name)
		seen[row.name] = true
	}
}

func faultLocations(p api.Problem) string {
	places := make([]string, len(p.Errors))
	for i, fault := range p.Errors {
		places[i] = fault.Location
	}
	return strings.Join(places, " ")
}

// startWithRecords serves the store that invalidRequest describes.
func startWithRecords[C config](t testing.TB, cfg C) *fixture {
	t.Helper()
	f := start(t, cfg)
	for _, id := range []string{"g", "s", "r"} {
		require.NoError(t, f.store.Upsert(t.Context(), recordOf(id)))
	}
	for _, move := range []struct {
		id       string
		from, to runtime.Status
	}{{"s", runtime.StatusRunning, runtime.StatusStopped}, {"r", runtime.StatusRunning, runtime.StatusRemoved}} {
		require.NoError(t, f.store.UpdateStatus(t.Context(), ports.UpdateStatusInput{
			GameID: move.id, ExpectedFrom: move.from, To: move.to, Now: noon,
		}))
	}
	revision, err := f.store.Revision(t.Context())
	require.NoError(t, err)
	require.NoError(t, f.store.Compact(revision))
	return f
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// recordOf returns the record of a running game.
func recordOf(id string) runtime.RuntimeRecord {
	started := noon
	return runtime.RuntimeRecord{
		GameID: id, Status: runtime.StatusRunning, Region: "eu", Node: "n1", CurrentContainerID: "c-" + id,
		CurrentImageRef: "game:1.2.3", Generation: 1, CreatedAt: noon, LastOpAt: noon, StartedAt: &started,
	}
}

func (f *fixture) storeID() string { return f.store.ID() }
