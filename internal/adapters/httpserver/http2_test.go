package httpserver_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// Types and flags of HTTP/2 frames (RFC 9113, section 6).
const (
	frameData, frameHeaders, frameReset, frameSettings, frameGoAway, frameContinuation = 0, 1, 3, 4, 7, 9

	flagEndStream, flagEndHeaders = 1, 4
)

// frame encodes one HTTP/2 frame.
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	header := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(header, stream), payload...)
}

// requestHeaders encodes the headers of a request in HPACK, without Huffman codes and without
// the dynamic table.
func requestHeaders(method, path string) []byte {
	var block []byte
	for _, field := range [][2]string{{":method", method}, {":scheme", "https"}, {":path", path}, {":authority", "localhost"}} {
		block = append(block, 0, byte(len(field[0])))
		block = append(block, field[0]...)
		block = append(block, byte(len(field[1])))
		block = append(block, field[1]...)
	}
	return block
}

// openHTTP2 opens a connection and sends the preface with empty settings.
func (f *tlsFixture) openHTTP2() net.Conn {
	f.t.Helper()
	conn := f.dialTLS("h2")
	_, err := conn.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(frameSettings, 0, 0, nil)...))
	require.NoError(f.t, err)
	return conn
}

// A client that opens streams and resets them at once (CVE-2023-44487) is disconnected or
// slowed down. It starts few handlers, and other clients are served.
func TestRapidReset(t *testing.T) {
	t.Parallel()
	store := newBlockingStore()
	f := serveTLSWithStore(t, store, httpserver.Config{})
	healthy := f.newClient(true)
	require.Equal(t, http.StatusOK, f.get(healthy, "/v1/runtimes").StatusCode)
	before := runtime.NumGoroutine()

	conn := f.openHTTP2()
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	block := requestHeaders("GET", "/v1/runtimes/g")
	var burst []byte
	stream, most := uint32(1), int64(0)
	for range 200 {
		burst = burst[:0]
		for range 100 {
			burst = append(burst, frame(frameHeaders, flagEndStream|flagEndHeaders, stream, block)...)
			burst = append(burst, frame(frameReset, 0, stream, []byte{0, 0, 0, 8})...)
			stream += 2
		}
		if _, err := conn.Write(burst); err != nil {
			break // the server has closed the connection
		}
		most = max(most, store.waiting.Load())
	}
	require.LessOrEqual(t, most, int64(100), "handlers that run at a time")
	require.Equal(t, http.StatusOK, f.get(healthy, "/v1/runtimes").StatusCode, "another client")
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { return store.waiting.Load() == 0 }, testTimeout, tick, "reset requests end")
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+100 }, testTimeout, tick)
}

// Headers that never end (CVE-2023-45288) end the connection.
func TestEndlessHeaders(t *testing.T) {
	t.Parallel()
	f := serveTLS(t, httpserver.Config{})
	conn := f.openHTTP2()
	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		close(closed)
	}()
	_, err := conn.Write(frame(frameHeaders, flagEndStream, 1, requestHeaders("GET", "/v1/runtimes")))
	require.NoError(t, err)
	field := append([]byte{0, 1, 'x', 100}, bytes.Repeat([]byte{'y'}, 100)...)
	sent := 0
	for ; err == nil && sent < 64<<20; sent += 16 << 10 {
		_, err = conn.Write(frame(frameContinuation, 0, 1, bytes.Repeat(field, 150)))
	}
	require.Error(t, err, "the server closes the connection")
	<-closed
	require.Equal(t, http.StatusOK, f.get(f.newClient(true), "/v1/runtimes").StatusCode)
}

// slowBody is a body of one byte at a time that never ends.
type slowBody struct{ ticks <-chan time.Time }

func (b slowBody) Read(p []byte) (int, error) {
	<-b.ticks
	return copy(p, " "), nil
}

// A body that arrives byte by byte is cut after Config.BodyTimeout, however regular the bytes
// are, in both versions of HTTP.
func TestTricklingBodyIsCut(t *testing.T) {
	t.Parallel()
	for _, hasHTTP2 := range []bool{false, true} {
		f := serveTLS(t, httpserver.Config{BodyTimeout: 300 * time.Millisecond})
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+f.addr+bodyPut, slowBody{ticker.C})
		require.NoError(t, err)
		started := time.Now()
		response, err := f.newClient(hasHTTP2).Do(request)
		if err == nil {
			require.Equal(t, http.StatusRequestTimeout, response.StatusCode)
			require.NoError(t, response.Body.Close())
		}
		require.Less(t, time.Since(started), testTimeout)
		revision, err := f.store.Revision(t.Context())
		require.NoError(t, err)
		require.Equal(t, int64(1), revision)
	}
}

// A watch over TLS whose client does not read is ended, in both versions of HTTP. In HTTP/2
// other requests of its connection continue.
func TestUnreadWatchOverTLSEnds(t *testing.T) {
	t.Parallel()
	for _, hasHTTP2 := range []bool{false, true} {
		f := serveTLS(t, httpserver.Config{WriteTimeout: 500 * time.Millisecond, Heartbeat: 50 * time.Millisecond})
		client := f.newClient(hasHTTP2)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+f.addr+"/v1/watch", nil)
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		record := recordOf("g")
		record.StatePath = strings.Repeat("x", 60<<10)
		require.Eventually(t, func() bool {
			for range 16 {
				require.NoError(t, f.store.Upsert(t.Context(), record))
			}
			metrics, err := f.newClient(false).Get("https://" + f.addr + "/metrics")
			require.NoError(t, err)
			defer metrics.Body.Close()
			text, err := io.ReadAll(metrics.Body)
			require.NoError(t, err)
			return strings.Contains(string(text), "\nrtmanager_watch_streams 0\n")
		}, testTimeout, tick)
		require.Equal(t, http.StatusOK, f.get(client, "/v1/runtimes?limit=1").StatusCode)
		_, err = io.Copy(io.Discard, response.Body)
		require.Error(t, err, "the stream is cut, and does not look complete")
	}
}

// Oversized headers and URLs are rejected over HTTP/2 too.
func TestOversizedRequestsOverHTTP2(t *testing.T) {
	t.Parallel()
	f := serveTLS(t, httpserver.Config{})
	for name, change := range map[string]func(*http.Request){
		"header": func(r *http.Request) { r.Header.Set("X-Large", strings.Repeat("x", 80<<10)) },
		"URL":    func(r *http.Request) { r.URL.RawQuery = "q=" + strings.Repeat("x", 80<<10) },
		"body":   func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", 2<<20))) },
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+f.addr+bodyPut, nil)
		require.NoError(t, err)
		change(request)
		response, err := f.newClient(true).Do(request)
		if err != nil {
			continue // the client respects the limit that the server announces
		}
		require.Contains(t, []int{http.StatusRequestHeaderFieldsTooLarge, http.StatusRequestEntityTooLarge}, response.StatusCode, name)
		require.NoError(t, response.Body.Close())
	}
	require.Equal(t, http.StatusOK, f.get(f.newClient(true), "/v1/runtimes").StatusCode)
}

// The name of a host in HTTP/2 is that of :authority: another Host header cannot replace it.
func TestAuthorityOfHTTP2(t *testing.T) {
	t.Parallel()
	f := serveTLSWithStore(t, memstore.New(), httpserver.Config{})
	conn := f.openHTTP2()
	evil := []byte{0, 7}
	evil = append(append(evil, ":method"...), append([]byte{3}, "GET"...)...)
	for _, field := range [][2]string{{":scheme", "https"}, {":path", "/v1/runtimes"}, {":authority", "evil.example"}, {"host", "localhost"}} {
		evil = append(append(append(append(evil, 0, byte(len(field[0]))), field[0]...), byte(len(field[1]))), field[1]...)
	}
	_, err := conn.Write(frame(frameHeaders, flagEndStream|flagEndHeaders, 1, evil))
	require.NoError(t, err)
	text := readUntilData(t, conn)
	require.Contains(t, text, `"code":"host_rejected"`)
}

// readUntilData returns the data of the first stream, and an empty text if it is reset.
func readUntilData(t *testing.T, conn net.Conn) string {
	t.Helper()
	var text strings.Builder
	for {
		header := make([]byte, 9)
		if _, err := io.ReadFull(conn, header); err != nil {
			return text.String()
		}
		payload := make([]byte, int(header[0])<<16|int(header[1])<<8|int(header[2]))
		_, err := io.ReadFull(conn, payload)
		require.NoError(t, err)
		switch header[3] {
		case frameReset, frameGoAway:
			return text.String()
		case frameData:
			text.Write(payload)
			if header[4]&flagEndStream != 0 {
				return text.String()
			}
		}
	}
}
