package httpserver_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// clusterFixture is two daemons, eu/n1 and eu/n2, with one store.
type clusterFixture struct {
	register *fakeRegistry
	store    *memstore.Store
	one, two *fixture
	// the local nodes of the two
	first, second *fakeNode
}

func startCluster(t testing.TB, tune func(*servertest.Config)) *clusterFixture {
	t.Helper()
	c := &clusterFixture{register: &fakeRegistry{}, store: memstore.New(), first: &fakeNode{}, second: &fakeNode{}}
	node := func(name string, m *fakeNode) *fixture {
		cfg := servertest.Config{Config: httpserver.Config{Region: "eu", Node: name}, Local: m, Nodes: c.register}
		if tune != nil {
			tune(&cfg)
		}
		f := startWithStore(t, c.store, cfg)
		f.store = c.store
		c.register.join("eu", name, "http://"+f.addr)
		return f
	}
	c.one, c.two = node("n1", c.first), node("n2", c.second)
	require.NoError(t, c.store.Upsert(t.Context(), recordOn("far", "eu", "n2")))
	require.NoError(t, c.store.Upsert(t.Context(), recordOn("lost", "us", "gone")))
	return c
}

// Any daemon can be called: the game's own node executes the operation.
func TestOperationsGoToTheGamesNode(t *testing.T) {
	t.Parallel()
	for _, kind := range operationKinds {
		c := startCluster(t, nil)
		headers := "Idempotency-Key: UTF-8''%C3%B6p\r\nRtmanager-Actor: ops\r\nRtmanager-Reason: why\r\n"
		got := c.one.send("POST", operationPath("far", kind)+"?wait=done", headers, validBody(kind))
		require.Equal(t, 200, got.StatusCode, got.body)
		contractOf(t, c.one).requireDocumented(t, "POST", operationPath("far", kind), got)
		require.Zero(t, c.first.count(), "the daemon that was called must not execute the operation")
		request := c.second.onlyRequest(t)
		require.Equal(t, ports.Origin{OperationID: "öp", Actor: "ops", Reason: "why"}, request.Origin)
		require.Equal(t, kind, request.Kind)
		if kind == operation.KindPatch {
			require.Equal(t, "game:1.2.4", request.Image)
		}
		direct := c.two.send("POST", operationPath("far", kind), headers, validBody(kind))
		require.Equal(t, direct.body, got.body, "the response is the same as without forwarding")
		for name, values := range got.Header {
			require.Len(t, values, 1, "header %s is given twice", name)
		}
	}
}

// Ids with characters that a path escapes arrive unchanged.
func TestForwardedGameIDs(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	for _, id := range []string{"a/b", "%2F", "a b", "~", "ä?x=1#y", "a%"} {
		require.NoError(t, c.store.Upsert(t.Context(), recordOn(id, "eu", "n2")))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.one.addr, nil)
		require.NoError(t, err)
		request.URL.Path = "/v1/runtimes/" + id + "/stop"
		request.URL.RawPath = "/v1/runtimes/" + strings.NewReplacer("%", "%25", "/", "%2F", " ", "%20", "?", "%3F", "#", "%23").Replace(id) + "/stop"
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, 200, response.StatusCode, "%q: %s", id, text)
		require.Equal(t, id, decodeAs[api.OperationResult](t, string(text)).GameID)
	}
	http.DefaultClient.CloseIdleConnections()
}

// A stream is forwarded event by event.
func TestForwardedStreamsAreNotBuffered(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	end := make(chan struct{})
	c.second.execute = slowOperation(end, operation.StepAccepted, operation.StepPulling)
	_, got := c.one.openUntilDone("POST", operationPath("far", operation.KindStart), ndjson, "")
	require.Equal(t, api.NDJSONMediaType, got.Header.Get("Content-Type"))
	reader := bufio.NewReader(got.Body)
	for _, step := range []string{"accepted", "pulling"} {
		line, err := reader.ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, line, `"step":"`+step+`"`)
	}
	close(end)
	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.Contains(t, string(rest), `"type":"result"`)
}

// Errors of the game's node are forwarded unchanged.
func TestForwardedErrors(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	c.second.execute = func(context.Context, ports.OperationRequest, func(operation.Progress)) (operation.Outcome, error) {
		return operation.Outcome{}, &operation.BusyError{GameID: "far", OperationID: "other", Holder: "eu/n2"}
	}
	got := c.one.send("POST", operationPath("far", operation.KindStop), "", "")
	require.Equal(t, 409, got.StatusCode)
	require.Equal(t, "busy other eu/n2", strings.Join([]string{string(got.problem(t).Code), got.problem(t).OperationID, got.problem(t).Holder}, " "))
	unwanted := c.one.send("POST", operationPath("far", operation.KindStart), "", `{"node":"n1"}`)
	require.Equal(t, 409, unwanted.StatusCode, unwanted.body)
	require.Equal(t, api.CodeRejected, unwanted.problem(t).Code)
	require.Contains(t, unwanted.problem(t).Detail, "is on node eu/n2")
}

// A request is forwarded once. A node that does not own the game returns an error.
func TestRequestsAreForwardedOnce(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	for _, kind := range operationKinds {
		got := c.one.send("POST", operationPath("far", kind), "Rtmanager-Forwarded: eu/n9\r\n", validBody(kind))
		require.Equal(t, http.StatusMisdirectedRequest, got.StatusCode, got.body)
		p := got.problem(t)
		require.Equal(t, []string{string(api.CodeMisrouted), "eu", "n2"}, []string{string(p.Code), p.Region, p.Node})
		contractOf(t, c.one).requireDocumented(t, "POST", operationPath("far", kind), got)
	}
	got := c.one.send("GET", "/v1/runtimes/far/explain", "Rtmanager-Forwarded: eu/n9\r\n", "")
	require.Equal(t, http.StatusMisdirectedRequest, got.StatusCode, got.body)
	require.Zero(t, c.first.count()+c.second.count())

	// A registry with the address of the caller itself must not cause a loop.
	c.register.leave("n2")
	c.register.join("eu", "n2", "http://"+c.one.addr)
	got = c.one.send("POST", operationPath("far", operation.KindStop), "", "")
	require.Equal(t, api.CodeMisrouted, got.problem(t).Code, got.body)
	require.Zero(t, c.first.count()+c.second.count())
}

// startRecorder starts a server that is no daemon, and records its requests.
func startRecorder(t testing.TB, respond http.HandlerFunc) (url string, seen <-chan *http.Request) {
	t.Helper()
	requests := make(chan *http.Request, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		respond(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL, requests
}

// Only headers of the API are forwarded.
func TestForwardedHeaders(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	url, seen := startRecorder(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("X-Evil", "1")
		_, _ = io.WriteString(w, "{}")
	})
	c.register.leave("n2")
	c.register.join("eu", "n2", url+"/base/")
	got := c.one.send("POST", operationPath("far", operation.KindStop)+"?wait=running",
		"X-Forwarded-For: 1.2.3.4\r\nForwarded: for=x\r\nX-Real-Ip: 1\r\nCookie: a=b\r\nAuthorization: Basic x\r\nConnection: X-Hop\r\nX-Hop: 1\r\nAccept: */*\r\n", "{}")
	require.Equal(t, 200, got.StatusCode, got.body)
	require.Empty(t, got.Header.Get("Set-Cookie")+got.Header.Get("X-Evil"))
	request := <-seen
	require.Equal(t, "/base/v1/runtimes/far/stop?wait=running", request.RequestURI)
	var names []string
	for name := range request.Header {
		names = append(names, name)
	}
	require.ElementsMatch(t, []string{"Accept", "Content-Length", "Content-Type", "Idempotency-Key", "Rtmanager-Forwarded", "X-Request-Id"}, names)
	require.Equal(t, "eu/n1", request.Header.Get("Rtmanager-Forwarded"))
}

// A response that is not of the API is not forwarded, and redirects are not followed.
func TestResponsesThatAreNotOfTheAPI(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"a page": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"a script": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<script>")
		},
		"an encoded result": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "{}")
		},
		"a problem that is no error":       newProblemHandler(200),
		"a problem with an unknown status": newProblemHandler(999),
		"a 204":                            func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"an end":                           func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, nil)
			url, seen := startRecorder(t, handler)
			c.register.leave("n2")
			c.register.join("eu", "n2", url)
			got := c.one.send("POST", operationPath("far", operation.KindStop), "", "")
			require.Equal(t, http.StatusGatewayTimeout, got.StatusCode, got.body)
			p := got.problem(t)
			require.Equal(t, api.CodeOutcomeUnknown, p.Code, "the request arrived, so it may have been executed")
			require.Equal(t, "eu n2", p.Region+" "+p.Node)
			require.NotEmpty(t, p.OperationID)
			require.Len(t, seen, 1)
			explained := c.one.send("GET", "/v1/runtimes/far/explain", "", "")
			require.Equal(t, 200, explained.StatusCode, explained.body)
			require.Contains(t, explained.body, "node is not reachable: eu/n2 does not respond")
		})
	}
}

// newProblemHandler responds with a problem of any status.
func newProblemHandler(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", api.ProblemMediaType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"code":"not_found"}`)
	}
}

// A response without the requested members is none, also if it is valid JSON.
func TestEmptyResultsOfANode(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	for name, handler := range map[string]http.HandlerFunc{
		"null":          newJSONHandler("null"),
		"no members":    newJSONHandler("{}"),
		"other members": newJSONHandler(`{"game_id":"other","results":[{"id":"other"}],"region":"eu","node":"n1"}`),
		"other problems": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", api.ProblemMediaType)
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "{}")
		},
	} {
		url, _ := startRecorder(t, handler)
		c.register.leave("n2")
		c.register.join("eu", "n2", url)
		explained := c.one.send("GET", "/v1/runtimes/far/explain", "", "")
		require.Contains(t, explained.body, "eu/n2 does not respond", name)
		applied := c.one.send("POST", "/v1/drift/apply", "", encodeJSON(t, api.DriftApply{Findings: []drift.Finding{finding("b", "n2")}}))
		require.Contains(t, decodeAs[api.DriftApplied](t, applied.body).Results[0].Reason, "outcome of the write is unknown", name)
		released := c.one.send("POST", "/v1/drift/release?node=n2", "", "")
		require.Equal(t, api.CodeOutcomeUnknown, released.problem(t).Code, "%s: %s", name, released.body)
	}
}

// newJSONHandler responds with a JSON document.
func newJSONHandler(document string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, document)
	}
}

// An absent or unreachable node is named, and the operation is not started.
func TestUnreachableNodes(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	for name, row := range map[string]struct {
		api    string // empty: not in the registry
		status int
		detail string
	}{
		"absent":             {"", 503, "node is not reachable: eu/n2 is not among the present nodes"},
		"not listening":      {"http://127.0.0.1:1", 502, "eu/n2 does not respond at http://127.0.0.1:1"},
		"other scheme":       {"file:///etc/passwd", 503, "eu/n2 has no valid address"},
		"URL without a host": {"http://", 503, "eu/n2 has no valid address"},
	} {
		c.register.leave("n2")
		if row.api != "" {
			c.register.join("eu", "n2", row.api)
		}
		for _, kind := range operationKinds {
			got := c.one.send("POST", operationPath("far", kind), "", validBody(kind))
			require.Equal(t, row.status, got.StatusCode, "%s: %s", name, got.body)
			p := got.problem(t)
			require.Equal(t, []string{string(api.CodeNodeUnreachable), "eu", "n2"}, []string{string(p.Code), p.Region, p.Node})
			require.Contains(t, p.Detail, row.detail)
			contractOf(t, c.one).requireDocumented(t, "POST", operationPath("far", kind), got)
		}
	}
	single := start(t, localNode(&fakeNode{}))
	require.NoError(t, single.store.Upsert(t.Context(), recordOn("far", "eu", "n2")))
	got := single.send("POST", operationPath("far", operation.KindStop), "", "")
	require.Equal(t, api.CodeNodeUnreachable, got.problem(t).Code, "a daemon without a registry: %s", got.body)
}

// The server stops waiting for a node that hangs when the node is no longer present, or
// when the request's time is over. The outcome is unknown then.
func TestNodesThatHang(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		timeout time.Duration
		leaves  bool
		want    string
	}{
		"node leaves the registry": {time.Hour, true, "eu/n2 is not among the present nodes"},
		"node stays present":       {300 * time.Millisecond, false, "eu/n2 did not respond in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, func(cfg *servertest.Config) { cfg.OperationTimeout = row.timeout })
			url, seen := startRecorder(t, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			})
			c.register.leave("n2")
			c.register.join("eu", "n2", url)
			responses := make(chan rawResponse, 1)
			go func() {
				responses <- c.one.send("POST", operationPath("far", operation.KindStop), "Idempotency-Key: op-1\r\n", "")
			}()
			<-seen
			if row.leaves {
				c.register.leave("n2")
			}
			p := (<-responses).problem(t)
			require.Equal(t, []string{string(api.CodeOutcomeUnknown), "op-1"}, []string{string(p.Code), p.OperationID})
			require.Contains(t, p.Detail, row.want)
		})
	}
}

// The server cuts a stream that ends early, so that the client does not treat it as
// complete.
func TestForwardedStreamsThatBreak(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	url, _ := startRecorder(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", api.NDJSONMediaType)
		_, _ = io.WriteString(w, `{"type":"heartbeat"}`+"\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	c.register.leave("n2")
	c.register.join("eu", "n2", url)
	_, got := c.one.openUntilDone("POST", operationPath("far", operation.KindStop), ndjson, "")
	require.Equal(t, 200, got.StatusCode)
	_, err := io.ReadAll(got.Body)
	require.Error(t, err, "a broken stream must not end normally")
}

// The server forwards only the parts of another node's response that the API defines, and
// keeps its own headers.
func TestForwardedResponsesAreFiltered(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	url, _ := startRecorder(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</evil>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Trailer", "X-Announced")
		_, _ = io.WriteString(w, "{}")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("X-Announced", "1")
		w.Header().Set(http.TrailerPrefix+"X-Sudden", "1")
	})
	c.register.leave("n2")
	c.register.join("eu", "n2", url)
	got := c.one.send("POST", operationPath("far", operation.KindStop), "", "")
	require.Equal(t, 200, got.StatusCode, "%v", got.Header)
	require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"))
	require.Empty(t, got.Header.Values("Link"))
	require.Empty(t, got.Trailer)
}

// A shutdown does not wait for another node: the client gets a response in time.
func TestShutdownEndsForwardedRequests(t *testing.T) {
	t.Parallel()
	url, seen := startRecorder(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Header.Get("Accept") == api.NDJSONMediaType {
			w.Header().Set("Content-Type", api.NDJSONMediaType)
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	})
	register := &fakeRegistry{}
	register.join("eu", "n2", url)
	store := memstore.New()
	require.NoError(t, store.Upsert(t.Context(), recordOn("far", "eu", "n2")))
	s := serve(t, store, servertest.Config{
		Config: httpserver.Config{Region: "eu", Node: "n1", DrainTimeout: time.Second}, Local: &fakeNode{}, Nodes: register,
	})
	responses := make(chan rawResponse, 1)
	go func() {
		responses <- s.send("POST", operationPath("far", operation.KindStop), "Idempotency-Key: op-1\r\n", "")
	}()
	<-seen
	_, streamed := s.openUntilDone("POST", operationPath("far", operation.KindStop), ndjson, "")
	require.Equal(t, 200, streamed.StatusCode)
	s.stop()
	got := <-responses
	require.Equal(t, http.StatusGatewayTimeout, got.StatusCode, got.body)
	p := got.problem(t)
	require.Equal(t, []string{string(api.CodeOutcomeUnknown), "op-1", "eu", "n2"}, []string{string(p.Code), p.OperationID, p.Region, p.Node})
	require.Contains(t, p.Detail, "the server is shutting down")
	_, err := io.ReadAll(streamed.Body)
	require.Error(t, err, "a stream that is cut must not end normally")
	require.NoError(t, s.wait())
}
