package httpserver_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// A start is rejected, or it is one that an engine can execute: every member of its body
// arrives at the node unchanged.
func FuzzStartBody(f *testing.F) {
	for _, row := range append(invalidOperations(), invalidJSON()...) {
		if row.method == "POST" && len(row.body) <= 1024 {
			f.Add([]byte(row.body))
		}
	}
	f.Add([]byte(`{"image":"game:1","args":["-x"],"env":{"A":"1"},"port":7,"container_port":8,"cpus":0.5,"memory_bytes":67108864,` +
		`"health_path":"none","health_timeout":"1m","stop_grace":"1s","crash":{"attempts":1,"window":"1h","delay":"1s"},"on_node_lost":"reschedule","region":"eu","node":"n1"}`))
	h := newTarget(f, memstore.New())
	f.Fuzz(func(t *testing.T, body []byte) {
		before := h.manager.count()
		request := sendOperation(t, h, operationPath("g", operation.KindStart), body)
		if request == nil {
			require.Equal(t, before, h.manager.count(), "a rejected request must not arrive at the node")
			return
		}
		given := map[string]any{}
		if len(bytes.TrimSpace(body)) > 0 {
			given = membersOf(t, body)
		}
		delete(given, "region")
		delete(given, "node")
		if request.Spec == nil {
			require.Empty(t, given)
			return
		}
		checked := *request.Spec
		if checked.Image == "" {
			checked.Image = "as-before"
		}
		require.NoError(t, checked.Validate(), "%s", body)
		kept := membersOf(t, []byte(encodeJSON(t, request.Spec)))
		for name := range kept {
			if name != "image" { // which is always there
				require.Contains(t, given, name)
			}
		}
		for name, value := range given {
			if text, ok := value.(string); ok && text != "" && name != "health_timeout" && name != "stop_grace" {
				require.Equal(t, text, kept[name], name)
			}
		}
	})
}

// A patch is rejected, or its image is valid.
func FuzzPatchBody(f *testing.F) {
	for _, row := range invalidOperations() {
		if row.method == "POST" && len(row.body) <= 1024 {
			f.Add([]byte(row.body))
		}
	}
	f.Add([]byte(`{"image":"game:1.2.3","force":true}`))
	h := newTarget(f, memstore.New())
	f.Fuzz(func(t *testing.T, body []byte) {
		if request := sendOperation(t, h, operationPath("g", operation.KindPatch), body); request != nil {
			given := membersOf(t, body)
			require.Equal(t, given["image"], request.Image)
			require.Equal(t, given["force"] == true, request.Force)
			require.NoError(t, operation.ValidateImage(request.Image))
		}
	})
}

// Findings are rejected, or each gets a result.
func FuzzApplyBody(f *testing.F) {
	for _, row := range invalidDriftRequests() {
		if row.method == "POST" && len(row.body) <= 1024 {
			f.Add([]byte(row.body))
		}
	}
	f.Add([]byte(encodeJSON(f, api.DriftApply{Findings: []drift.Finding{finding("a", "n1"), finding("b", "n9")}})))
	h := newTarget(f, memstore.New())
	h.manager.report.Findings = []drift.Finding{finding("a", "n1")}
	h.manager.apply = newApplyFunc(new([]drift.Finding))
	f.Fuzz(func(t *testing.T, body []byte) {
		got := h.send(t, "POST", "/v1/drift/apply", nil, body)
		if got.Code != http.StatusOK {
			require.Contains(t, []int{400, 413, 422}, got.Code)
			return
		}
		results := decodeAs[api.DriftApplied](t, got.Body.String()).Results
		requested := decodeAs[api.DriftApply](t, string(body)).Findings
		require.Len(t, results, len(requested))
		for i, r := range results {
			require.Equal(t, requested[i].ID, r.ID)
			require.True(t, r.Status != drift.ApplyDone || r.ID == "a" && requested[i].RecordRevision == 5 && requested[i].IntentRevision == 3, "%s", body)
		}
	})
}

// sendOperation sends the body and returns the request that arrives at the node, nil
// for a rejection.
func sendOperation(t testing.TB, h *handlerFixture, path string, body []byte) *ports.OperationRequest {
	t.Helper()
	got := h.send(t, "POST", path, nil, body)
	if got.Code != http.StatusOK {
		require.Contains(t, []int{400, 413, 422, 503}, got.Code, "%s: %s", body, got.Body)
		return nil
	}
	h.manager.mu.Lock()
	defer h.manager.mu.Unlock()
	request := h.manager.requests[len(h.manager.requests)-1]
	h.manager.requests = nil
	return &request
}
