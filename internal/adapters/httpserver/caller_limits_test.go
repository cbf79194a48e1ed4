package httpserver_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/testkit/certtest"
	"galaxy/rtmanager/internal/testkit/logtest"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

func withLimits(limits httpserver.Limits) func(*servertest.Config) {
	return func(c *servertest.Config) { c.Limits = limits }
}

// requireRateLimited checks a response to a request beyond a limit.
func requireRateLimited(t testing.TB, got rawResponse) {
	t.Helper()
	require.Equal(t, http.StatusTooManyRequests, got.StatusCode, got.body)
	require.Equal(t, api.CodeRateLimited, got.problem(t).Code)
	seconds, err := strconv.Atoi(got.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
}

// Without authentication a caller is an address. Reads and writes have bounds of their own,
// and probes have none. A request beyond the bound calls no store, and its body is not read.
func TestRateLimitOfAnAddress(t *testing.T) {
	t.Parallel()
	var log logtest.Buffer
	s := serve(t, memstore.New(), httpserver.Config{
		Limits: httpserver.Limits{ReadRate: 0.1, WriteRate: 0.1}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	c := contractOf(t, start(t, httpserver.Config{}))
	require.Equal(t, 200, s.send("GET", "/v1/runtimes", "", "").StatusCode)
	for range 20 {
		got := s.send("GET", "/v1/runtimes", "", "")
		requireRateLimited(t, got)
		require.Equal(t, "10", got.Header.Get("Retry-After"))
		c.requireDocumented(t, "GET", "/v1/runtimes", got)
	}
	require.Equal(t, 200, s.send("PUT", bodyPut, "", runningRecord).StatusCode, "a write")
	conn := s.dial("PUT " + bodyPut + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{")
	require.Equal(t, http.StatusTooManyRequests, readStatus(conn), "the response does not wait for the body")
	for _, probe := range []string{"/healthz", "/readyz", "/metrics"} {
		for range 5 {
			require.Equal(t, 200, s.send("GET", probe, "", "").StatusCode, probe)
		}
	}
	require.Equal(t, "21", s.metric(`rtmanager_http_rejections_total{reason="rate"}`))
	revision, err := s.store.Revision(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(2), revision)
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "rate=") }, testTimeout, tick)
	require.LessOrEqual(t, strings.Count(log.String(), "requests exceeded"), 2, log.String())
}

// With authentication a caller is an identity: another one at the same address has bounds of
// its own.
func TestRateLimitOfAnIdentity(t *testing.T) {
	t.Parallel()
	s := startSecured(t, withLimits(httpserver.Limits{ReadRate: 0.1}))
	first, second := s.token("first", "reader"), s.token("second", "reader")
	require.Equal(t, 200, s.send("GET", "/v1/runtimes", first, "").StatusCode)
	requireRateLimited(t, s.send("GET", "/v1/runtimes", first, ""))
	require.Equal(t, 200, s.send("GET", "/v1/runtimes", second, "").StatusCode)
	requireRateLimited(t, s.send("GET", "/v1/runtimes", second+"X-Forwarded-For: 10.9.8.7\r\nForwarded: for=10.9.8.7\r\n", ""))
	require.Equal(t, 401, s.send("GET", "/v1/runtimes", "", "").StatusCode)
}

// Daemons have no limits, whether a request is their own or forwarded.
func TestDaemonsAreNotLimited(t *testing.T) {
	t.Parallel()
	s := startSecured(t, withLimits(httpserver.Limits{ReadRate: 0.1, WriteRate: 0.1, Concurrency: 1, Failures: 0.1}))
	ca := certtest.NewAuthority(t, "ca")
	send := func(subject pkix.Name, header http.Header) int {
		leaf, err := x509.ParseCertificate(ca.Issue(t, subject).TLS.Certificate[0])
		require.NoError(t, err)
		request := httptest.NewRequestWithContext(t.Context(), "GET", "https://localhost/v1/runtimes", nil)
		request.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf, ca.Cert}}}
		request.Header = header
		response := httptest.NewRecorder()
		s.api.Handler().ServeHTTP(response, request)
		return response.Code
	}
	admin := pkix.Name{CommonName: "ada", Organization: []string{access.AdminsOrganization}}
	require.Equal(t, 200, send(admin, http.Header{}))
	require.Equal(t, 429, send(admin, http.Header{}))
	daemon := pkix.Name{CommonName: "eu/n2", Organization: []string{access.NodesOrganization}}
	identity := api.EncodeIdentity(access.Identity{Subject: "user:ada", Groups: []string{"group:" + access.AdminsOrganization}, Method: access.MethodCertificate})
	for range 10 {
		require.Equal(t, 200, send(daemon, http.Header{}))
		require.Equal(t, 200, send(daemon, http.Header{api.HeaderForwarded: {"eu/n2"}, api.HeaderForwardedIdentity: {identity}}))
	}
	for range 3 {
		s.send("GET", "/v1/runtimes", "Authorization: Bearer guess\r\n", "")
	}
	require.Equal(t, 200, send(daemon, http.Header{}), "failures at the same address")
}

func TestConcurrencyOfAnIdentity(t *testing.T) {
	t.Parallel()
	store := newBlockingStore()
	s := serve(t, store, httpserver.Config{Limits: httpserver.Limits{Concurrency: 1, Streams: 1}})
	blocked := s.startBlocked(store)
	requireRateLimited(t, s.send("GET", "/v1/runtimes", "", ""))
	require.Equal(t, 200, s.send("GET", "/healthz", "", "").StatusCode)
	stream := s.watch("", "")
	stream.expect("synced 1")
	second := s.send("GET", "/v1/watch", "", "")
	require.Equal(t, http.StatusTooManyRequests, second.StatusCode)
	require.Equal(t, api.CodeTooManyStreams, second.problem(t).Code)

	close(store.open)
	require.Equal(t, 404, <-blocked)
	require.Eventually(t, func() bool { return s.send("GET", "/v1/runtimes", "", "").StatusCode == http.StatusOK }, testTimeout, tick, "the request has released its place")
	require.NoError(t, stream.conn.Close())
	require.Eventually(t, func() bool {
		conn, response := s.open("GET", "/v1/watch", "", "")
		require.NoError(t, conn.Close()) // first: a stream has no end
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, testTimeout, tick, "the stream has released its place")
}

// Guesses are rejected before they are checked. A token that was valid before, and other
// ways to prove an identity, still work at the address.
func TestGuessedTokensAreRejectedCheaply(t *testing.T) {
	t.Parallel()
	a := startAudit(t)
	s := startSecured(t, withLimits(httpserver.Limits{Failures: 0.1}), withAudit(a))
	reader := s.token("r", "reader")
	require.Equal(t, 200, s.send("GET", "/v1/runtimes", reader, "").StatusCode)
	require.Equal(t, 401, s.send("GET", "/v1/runtimes", "Authorization: Bearer guess\r\n", "").StatusCode)
	for _, headers := range []string{"Authorization: Bearer guess\r\n", "Authorization: Bearer other\r\n", "Authorization: Basic eDp5\r\n", "", s.token("new", "reader")} {
		requireRateLimited(t, s.send("GET", "/v1/runtimes", headers, ""))
	}
	require.Equal(t, 200, s.send("GET", "/v1/runtimes", reader, "").StatusCode)
	require.Equal(t, 200, s.send("GET", "/healthz", "", "").StatusCode)
	require.Equal(t, "5", s.secureMetric(reader, `rtmanager_http_rejections_total{reason="authentication"}`))
	require.Len(t, a.events(), 1, "a guess that is not checked is not audited")

	require.NoError(t, s.access.RevokeToken(t.Context(), "r"))
	require.Equal(t, 401, s.send("GET", "/v1/runtimes", reader, "").StatusCode)
	requireRateLimited(t, s.send("GET", "/v1/runtimes", reader, ""))
}

// A write beyond the limit does not wait for the audit log, and is not in it.
func TestRejectedWritesAreNotAudited(t *testing.T) {
	t.Parallel()
	a := startAudit(t)
	f := start(t, httpserver.Config{Audit: a, Limits: httpserver.Limits{WriteRate: 0.1}})
	require.Equal(t, 200, f.send("PUT", bodyPut, "", runningRecord).StatusCode)
	for range 5 {
		requireRateLimited(t, f.send("PUT", bodyPut, "", runningRecord))
	}
	require.Len(t, a.events(), 1)
	require.Equal(t, int64(1), a.Stats().Events)
}

// secureMetric is metric for a caller.
func (s *securedFixture) secureMetric(headers, name string) string {
	s.t.Helper()
	for line := range strings.Lines(s.send("GET", "/metrics", headers, "").body) {
		if value, isFound := strings.CutPrefix(line, name+" "); isFound {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// One address cannot take all connections. Its excess connections get a response, or are
// closed if there are many of them.
func TestConnectionsOfAnAddress(t *testing.T) {
	t.Parallel()
	const limit = 3
	s := serve(t, memstore.New(), httpserver.Config{MaxConnections: 100, Limits: httpserver.Limits{Connections: limit}})
	var open []net.Conn
	for range limit {
		conn := s.dial("")
		status, _ := get(t, conn, "/v1/runtimes")
		require.Equal(t, 200, status)
		open = append(open, conn)
	}
	status, isClosed := get(t, s.dial(""), "/v1/runtimes")
	require.Equal(t, http.StatusTooManyRequests, status)
	require.True(t, isClosed)
	status, _ = get(t, s.dial(""), "/healthz")
	require.Equal(t, 200, status)
	for range 20 {
		s.dial("")
	}
	_, err := io.ReadAll(s.dial(""))
	require.True(t, err == nil || strings.Contains(err.Error(), "reset"), "%v", err)
	status, _ = get(t, open[0], "/v1/runtimes")
	require.Equal(t, 200, status, "the connections within the limit are not affected")

	other := s.dialFrom("127.0.0.2")
	status, _ = get(t, other, "/v1/runtimes")
	require.Equal(t, 200, status, "another address")
	for _, conn := range open {
		require.NoError(t, conn.Close())
	}
	require.Eventually(t, func() bool { // once the server has processed the ends of the others
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			return false
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET /v1/runtimes HTTP/1.1\r\nHost: localhost\r\n\r\n")
		return readStatus(conn) == 200
	}, testTimeout, tick)
}

// dialFrom opens a connection from a local address.
func (f *fixture) dialFrom(address string) net.Conn {
	f.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := dialer.DialContext(f.t.Context(), "tcp", f.addr)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { conn.Close() })
	return conn
}

func TestLimitsMustNotBeNegative(t *testing.T) {
	t.Parallel()
	for _, limits := range []httpserver.Limits{{ReadRate: -1}, {WriteRate: -1}, {Concurrency: -1}, {Streams: -1}, {Connections: -1}, {Failures: -1}} {
		_, err := httpserver.New(memstore.New(), httpserver.Config{Limits: limits})
		require.ErrorContains(t, err, "Limits must not be negative")
	}
}
