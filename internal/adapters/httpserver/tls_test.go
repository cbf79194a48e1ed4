package httpserver_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/testkit/certtest"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/tlsfiles"
)

// tlsFixture is a server with TLS and the authority of its certificate.
type tlsFixture struct {
	*servingFixture
	ca *certtest.Authority
}

func serveTLS(t *testing.T, cfg httpserver.Config) *tlsFixture {
	t.Helper()
	return serveTLSWithStore(t, memstore.New(), cfg)
}

func serveTLSWithStore(t *testing.T, store httpserver.Store, cfg httpserver.Config) *tlsFixture {
	t.Helper()
	ca := certtest.NewAuthority(t, "ca")
	certFile, keyFile := ca.Issue(t, pkix.Name{CommonName: "server"}).Write(t, t.TempDir())
	pair, err := tlsfiles.OpenKeyPair(certFile, keyFile, nil)
	require.NoError(t, err)
	cfg.TLS = tlsfiles.ServerConfig(pair, nil)
	return &tlsFixture{serve(t, store, cfg), ca}
}

// newClient returns a client that opens connections of its own, and has HTTP/2 if wanted.
func (f *tlsFixture) newClient(hasHTTP2 bool) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: f.ca.Pool()}, ForceAttemptHTTP2: hasHTTP2}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: testTimeout}
}

// get returns the response to a request, without its body.
func (f *tlsFixture) get(client *http.Client, path string) rawResponse {
	f.t.Helper()
	response, err := client.Get("https://" + f.addr + path)
	require.NoError(f.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(f.t, err)
	return rawResponse{response, string(text)}
}

// dialTLS opens a connection and completes the handshake for the protocol.
func (f *tlsFixture) dialTLS(protocol string) *tls.Conn {
	f.t.Helper()
	conn := tls.Client(f.dial(""), &tls.Config{RootCAs: f.ca.Pool(), ServerName: "localhost", NextProtos: []string{protocol}})
	require.NoError(f.t, conn.Handshake())
	return conn
}

func TestBothHTTPVersionsOverTLS(t *testing.T) {
	t.Parallel()
	f := serveTLS(t, httpserver.Config{})
	for hasHTTP2, protocol := range map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"} {
		response := f.get(f.newClient(hasHTTP2), "/v1/runtimes")
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, protocol, response.Proto)
	}
	response, err := http.ReadResponse(bufio.NewReader(f.dial("GET /v1/runtimes HTTP/1.1\r\nHost: localhost\r\n\r\n")), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusBadRequest, response.StatusCode, "http on the port of https")
}

// A client that opens many streams and resets them is bounded by the number of streams.
func TestStreamsOfAnHTTP2ConnectionAreBounded(t *testing.T) {
	t.Parallel()
	f := serveTLS(t, httpserver.Config{})
	conn := f.dialTLS("h2")
	_, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	require.NoError(t, err)
	header := make([]byte, 9)
	_, err = io.ReadFull(conn, header)
	require.NoError(t, err)
	require.Equal(t, byte(4), header[3], "the first frame has the settings")
	payload := make([]byte, int(header[0])<<16|int(header[1])<<8|int(header[2]))
	_, err = io.ReadFull(conn, payload)
	require.NoError(t, err)
	settings := map[uint16]uint32{}
	for ; len(payload) >= 6; payload = payload[6:] {
		settings[binary.BigEndian.Uint16(payload)] = binary.BigEndian.Uint32(payload[2:])
	}
	const maxConcurrentStreams = 3
	require.Equal(t, uint32(100), settings[maxConcurrentStreams])
}

// A thousand connections that never complete their handshake do not stop a healthy client.
func TestHalfOpenConnections(t *testing.T) {
	t.Parallel()
	const limit = 100
	f := serveTLS(t, httpserver.Config{MaxConnections: limit, HeaderTimeout: testTimeout})
	client := f.newClient(true)
	require.Equal(t, http.StatusOK, f.get(client, "/v1/runtimes").StatusCode)
	const clientHelloStart = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	for i := range 1000 {
		f.dial(clientHelloStart[:i%len(clientHelloStart)])
		if i%50 == 0 {
			require.Equal(t, http.StatusOK, f.get(client, "/v1/runtimes").StatusCode, "an existing connection")
			require.Equal(t, http.StatusOK, f.get(f.newClient(false), "/v1/runtimes").StatusCode, "a new connection")
		}
	}
	require.Equal(t, http.StatusOK, f.get(f.newClient(true), "/v1/runtimes").StatusCode)
}

// Connections that have completed the handshake and send no request do not either, in both
// versions of HTTP.
func TestConnectionsWithoutRequests(t *testing.T) {
	t.Parallel()
	f := serveTLS(t, httpserver.Config{MaxConnections: 20, HeaderTimeout: testTimeout})
	for range 40 {
		conn := f.dialTLS("h2")
		_, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		require.NoError(t, err)
		_, err = io.WriteString(f.dialTLS("http/1.1"), "GET /v1/runtimes HTTP/1.1\r\n")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, f.get(f.newClient(true), "/v1/runtimes").StatusCode)
	}
}

func TestSlowHandshakeIsCut(t *testing.T) {
	t.Parallel()
	f := serveTLS(t, httpserver.Config{HeaderTimeout: 200 * time.Millisecond})
	_, err := io.Copy(io.Discard, f.dial("\x16\x03\x01"))
	require.NoError(t, err, "the server closes the connection before the deadline of the test")
	conn := f.dialTLS("http/1.1")
	_, err = io.WriteString(conn, "GET /v1/")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, conn)
	require.NoError(t, err, "slow headers after the handshake are cut as well")
}

// A watch over HTTP/2 ends when its server shuts down, and the server does not wait for it.
func TestHTTP2StreamsEndWithTheServer(t *testing.T) {
	t.Parallel()
	f := serveTLS(t, httpserver.Config{})
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://"+f.addr+"/v1/watch", nil)
	require.NoError(t, err)
	response, err := f.newClient(true).Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, 2, response.ProtoMajor)
	f.stop()
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, f.wait())
}

// A browser does not resolve a foreign name to this server, since the certificate has another
// name. Names of the certificate may be used on loopback connections.
func TestHostNamesOverTLS(t *testing.T) {
	t.Parallel()
	f := serveTLS(t, httpserver.Config{IsServedHost: func(host string) bool { return host == "eu-1.example" }})
	for host, want := range map[string]int{
		"localhost": 200, "127.0.0.1:8080": 200, "eu-1.example": 200, "eu-1.example:8080": 200,
		"evil.example": 421, "eu-1.example.evil.example": 421, "[fe80::1]:80": 421,
	} {
		for _, hasHTTP2 := range []bool{false, true} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+f.addr+"/v1/runtimes", nil)
			require.NoError(t, err)
			request.Host = host
			response, err := f.newClient(hasHTTP2).Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, want, response.StatusCode, "host %s, HTTP/2 %t", host, hasHTTP2)
		}
	}
	conn, err := net.Dial("tcp", f.addr)
	require.NoError(t, err)
	defer conn.Close()
	err = tls.Client(conn, &tls.Config{RootCAs: f.ca.Pool(), ServerName: "evil.example"}).Handshake()
	require.ErrorContains(t, err, "not evil.example")
}

// The deadline of a write to a client over HTTP/2 is a timer that also resets an idle stream. A
// stream must outlive it.
func TestIdleStreamOverHTTP2(t *testing.T) {
	t.Parallel()
	f := serveTLS(t, httpserver.Config{WriteTimeout: 2 * time.Second, Heartbeat: 3 * time.Second, RequestTimeout: 2 * time.Second})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+f.addr+"/v1/watch", nil)
	require.NoError(t, err)
	request.Header.Set("Accept", "text/event-stream")
	response, err := f.newClient(true).Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, 2, response.ProtoMajor)
	lines, heartbeats := bufio.NewScanner(response.Body), 0
	for heartbeats < 2 && lines.Scan() {
		if strings.HasPrefix(lines.Text(), ":") {
			heartbeats++
		}
	}
	require.NoError(t, lines.Err())
	require.Equal(t, 2, heartbeats)
}

// watchStreams returns the number of open watch streams.
func (f *tlsFixture) watchStreams(client *http.Client) string {
	f.t.Helper()
	response, err := client.Get("https://" + f.addr + "/metrics")
	require.NoError(f.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(f.t, err)
	_, after, _ := strings.Cut(string(text), "\nrtmanager_watch_streams ")
	value, _, _ := strings.Cut(after, "\n")
	return value
}

// A client over HTTP/2 that does not read its stream is disconnected, and another stream of
// the same connection continues.
func TestStalledStreamOverHTTP2(t *testing.T) {
	t.Parallel()
	f := serveTLS(t, httpserver.Config{WriteTimeout: 3 * time.Second, Heartbeat: 50 * time.Millisecond})
	client := f.newClient(true)
	client.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}
	open := func() io.Reader {
		response, err := client.Get("https://" + f.addr + "/v1/watch")
		require.NoError(t, err)
		t.Cleanup(func() { _ = response.Body.Close() })
		require.Equal(t, 2, response.ProtoMajor)
		return response.Body
	}
	open() // and do not read
	healthy := bufio.NewReader(open())
	streams := func() string { return f.watchStreams(client) }
	require.Equal(t, "2", streams())
	record := recordOf("g")
	record.StatePath = strings.Repeat("x", 60<<10)
	send := func() {
		require.NoError(t, f.store.Upsert(t.Context(), record))
		for line := ""; !strings.Contains(line, record.StatePath); {
			var err error
			line, err = healthy.ReadString('\n')
			require.NoError(t, err, "the healthy stream continues")
		}
	}
	for range 4 { // more than the client's buffer
		send()
	}
	require.Eventually(t, func() bool { return streams() == "1" }, testTimeout, tick, "the stalled client is disconnected")
	send()
}

// A body over HTTP/2 that does not arrive is cut, without the connection.
func TestSlowBodyOverHTTP2(t *testing.T) {
	t.Parallel()
	f := serveTLS(t, httpserver.Config{BodyTimeout: 200 * time.Millisecond})
	client := f.newClient(true)
	body, writer := io.Pipe()
	defer writer.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+f.addr+"/v1/runtimes/g/status", body)
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Contains(t, []int{http.StatusRequestTimeout, http.StatusBadRequest}, response.StatusCode)
	require.Equal(t, http.StatusOK, f.get(client, "/v1/runtimes").StatusCode)
}
