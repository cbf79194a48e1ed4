package httpserver_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// handlerFixture is a server without a network, which would only slow fuzzing down.
type handlerFixture struct {
	store   *memstore.Store
	manager *fakeNode
	handler http.Handler
}

func newTarget(f testing.TB, store httpserver.Store) *handlerFixture {
	f.Helper()
	m := &fakeNode{}
	cfg := localNode(m)
	cfg.Nodes, cfg.Clock = new(fakeRegistry), func() time.Time { return noon }
	api := newServer(f, store, cfg)
	inMemory, _ := store.(*memstore.Store)
	return &handlerFixture{store: inMemory, manager: m, handler: api.Handler()}
}

// send sends one request. The response must be one that an invalid request can get: no
// fault of the server, no redirect, and a problem for a rejection.
func (h *handlerFixture) send(t testing.TB, method, path string, header http.Header, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, "/", bytes.NewReader(body))
	target, err := url.ParseRequestURI(path) // as net/http does, without cleaning
	require.NoError(t, err, path)
	request.URL = target
	request.Header = header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	recorder := httptest.NewRecorder()
	h.handler.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusServiceUnavailable || tryProblem(recorder.Body.String()).Code != api.CodeNodeUnreachable {
		require.Less(t, recorder.Code, 500, "%s %s: %s", method, path, recorder.Body)
	}
	if recorder.Code >= 300 && recorder.Code != http.StatusNotModified {
		require.Equal(t, api.ProblemMediaType, recorder.Header().Get("Content-Type"), "%s %s: %d %s", method, path, recorder.Code, recorder.Body)
		require.Equal(t, recorder.Code, decodeAs[api.Problem](t, recorder.Body.String()).Status)
	}
	return recorder
}

// revision returns the store's revision, and compacts all earlier ones.
func (h *handlerFixture) revision(t testing.TB) int64 {
	t.Helper()
	revision, err := h.store.Revision(t.Context())
	require.NoError(t, err)
	require.NoError(t, h.store.Compact(revision))
	return revision
}

// addBodies adds the bodies of invalid requests as seeds, without long ones: a fuzzer
// spends its time on shortening them.
func addBodies(f *testing.F, method string, rows []invalidRequest) {
	f.Helper()
	for _, row := range rows {
		if row.method == method && len(row.body) <= 1024 {
			f.Add([]byte(row.body))
		}
	}
}

// A body is rejected and writes nothing, or it is JSON whose every member is stored
// unchanged, and the stored record can be sent.
func FuzzPutBody(f *testing.F) {
	addBodies(f, "PUT", append(invalidJSON(), invalidRecords()...))
	f.Add([]byte(runningRecord))
	f.Add([]byte(withMember(runningRecord, "region", `"\ud83c\udfae\u0000\u2028"`)))
	h := newTarget(f, memstore.New())
	f.Fuzz(func(t *testing.T, body []byte) {
		before := h.revision(t)
		got := h.send(t, "PUT", bodyPut, nil, body)
		if !json.Valid(body) {
			require.Equal(t, http.StatusBadRequest, got.Code, "%q is not JSON: %s", body, got.Body)
		}
		if got.Code != http.StatusOK {
			require.Contains(t, []int{400, 413, 422}, got.Code)
			require.Equal(t, before, h.revision(t), "a rejected body must write nothing")
			return
		}
		requireKept(t, body, got.Body.Bytes())
		require.Equal(t, got.Body.String(), h.send(t, "GET", bodyPut, nil, nil).Body.String(), "the written record is read")
		require.Equal(t, got.Body.String(), h.send(t, "PUT", bodyPut, nil, got.Body.Bytes()).Body.String(), "a record that was read can be written")
	})
}

// requireKept fails if a member of the body is missing from the record.
func requireKept(t testing.TB, body, record []byte) {
	t.Helper()
	given, kept := membersOf(t, body), membersOf(t, record)
	for name, value := range given {
		switch v := value.(type) {
		case nil:
			require.NotContains(t, kept, name)
		case json.Number:
			want, err := strconv.ParseInt(v.String(), 10, 64)
			require.NoError(t, err, "%s of %s", name, body)
			require.Equal(t, strconv.FormatInt(want, 10), kept[name].(json.Number).String(), name)
		case string:
			if strings.HasSuffix(name, "_at") {
				require.True(t, parseTime(t, v).Equal(parseTime(t, kept[name].(string))), "%s: given %s, kept %s", name, v, kept[name])
				continue
			}
			require.Equal(t, v, kept[name], name)
		default:
			require.Fail(t, "no member of a record is of this kind", "%s of %s", name, body)
		}
	}
}

func membersOf(t testing.TB, object []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	var members map[string]any
	require.NoError(t, decoder.Decode(&members), "%s", object)
	return members
}

func parseTime(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return at
}

// A change is rejected and writes nothing, or it does what its members describe.
func FuzzStatusBody(f *testing.F) {
	addBodies(f, "POST", append(invalidJSON(), invalidChanges()...))
	f.Add([]byte(withMember(stopChange, "expected_container_id", `"c-g"`)))
	f.Add([]byte(`{"expected_from":"running","to":"removed","reason":"\u00e9\n"}`))
	h := newTarget(f, memstore.New())
	f.Fuzz(func(t *testing.T, body []byte) {
		require.NoError(t, h.store.Upsert(t.Context(), recordOf("g")))
		before := h.revision(t)
		got := h.send(t, "POST", bodyPost, nil, body)
		if got.Code != http.StatusOK {
			require.Contains(t, []int{400, 409, 413, 422}, got.Code)
			require.Equal(t, before, h.revision(t), "a rejected body must write nothing")
			return
		}
		given := membersOf(t, body)
		record := decodeAs[runtime.RuntimeRecord](t, got.Body.String())
		require.Equal(t, given["to"], string(record.Status))
		require.Equal(t, "running", given["expected_from"])
		require.Contains(t, []any{nil, "", "c-g"}, given["expected_container_id"])
		require.NoError(t, record.Validate(), "%s", body)
		at := noon
		if now, ok := given["now"].(string); ok {
			at = parseTime(t, now)
		}
		require.True(t, at.Equal(record.LastOpAt), "%s: last_op_at %s", body, record.LastOpAt)
		history, err := h.store.History(t.Context(), "g")
		require.NoError(t, err)
		reason, _ := given["reason"].(string)
		require.Equal(t, reason, history[0].Reason)
	})
}
