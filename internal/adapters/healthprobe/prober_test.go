package healthprobe_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/adapters/healthprobe"
	"galaxy/rtmanager/internal/domain/operation"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server with the handler until the test ends.
func serve(t *testing.T, handler http.HandlerFunc) (url string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// serveRaw writes the text to every connection after a request, and closes it.
func serveRaw(t *testing.T, text string) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return "http://" + listener.Addr().String()
}

func TestResponses(t *testing.T) {
	t.Parallel()
	tests := map[int]string{
		200: "", 204: "", 299: "",
		301: "301 Moved Permanently", 304: "304 Not Modified", 404: "404 Not Found", 500: "500 Internal Server Error", 503: "503 Service Unavailable",
	}
	for status, want := range tests {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		err := healthprobe.New(0).Probe(t.Context(), operation.HealthTarget{URL: url + "/healthz"})
		if want == "" {
			require.NoError(t, err, "status %d", status)
			continue
		}
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, url+"/healthz")
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	requests := make(chan *http.Request, 1)
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { requests <- r })
	require.NoError(t, healthprobe.New(0).Probe(t.Context(), operation.HealthTarget{URL: url + "/health?"}))
	request := <-requests
	require.Equal(t, http.MethodGet, request.Method)
	require.Equal(t, "/health", request.URL.Path)
	require.Equal(t, "rtmanager-health", request.UserAgent())
	require.True(t, request.Close, "a kept connection could report the health of the process before a restart")
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var redirected atomic.Int64
	target := serve(t, func(http.ResponseWriter, *http.Request) { redirected.Add(1) })
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) })
	require.ErrorContains(t, healthprobe.New(0).Probe(t.Context(), operation.HealthTarget{URL: url}), "302 Found")
	require.Zero(t, redirected.Load())
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-released:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(released) })
	require.ErrorIs(t, healthprobe.New(50*time.Millisecond).Probe(t.Context(), operation.HealthTarget{URL: url}), context.DeadlineExceeded)
}

// A game can respond with 200 and then never end its body.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	require.NoError(t, healthprobe.New(50*time.Millisecond).Probe(t.Context(), operation.HealthTarget{URL: url}))
}

// The prober reads only the start of a body.
func TestHugeBodyIsNotRead(t *testing.T) {
	t.Parallel()
	const huge = 1 << 30
	wrote := make(chan int64, 1)
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		var sum int64
		block := make([]byte, 1<<20)
		for sum < huge {
			n, err := w.Write(block)
			sum += int64(n)
			if err != nil {
				break
			}
		}
		wrote <- sum
	})
	require.NoError(t, healthprobe.New(30*time.Second).Probe(t.Context(), operation.HealthTarget{URL: url}))
	require.Less(t, <-wrote, int64(huge))
}

func TestMalformedResponses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no HTTP": "\x00\x01\x02 garbage\r\n\r\n", "empty": "", "incomplete": "HTTP/1.1 200", "status": "HTTP/1.1 999999 OK\r\n\r\n",
	} {
		require.Error(t, healthprobe.New(0).Probe(t.Context(), operation.HealthTarget{URL: serveRaw(t, text)}), name)
	}
}

func TestConnectionRefused(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, healthprobe.New(0).Probe(t.Context(), operation.HealthTarget{URL: "http://127.0.0.1:1"}), "connection refused")
}

func TestCanceledContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	require.ErrorIs(t, healthprobe.New(0).Probe(ctx, operation.HealthTarget{URL: url}), context.Canceled)
}

func TestInvalidURL(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, healthprobe.New(0).Probe(t.Context(), operation.HealthTarget{URL: "http://a b"}), `"http://a b"`)
}

// A record that an API client wrote must not make the daemon call the metadata service of
// the machine.
func TestLinkLocalAddressesAreRejected(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "224.0.0.1"} {
		require.ErrorContains(t, healthprobe.New(0).Probe(t.Context(), operation.HealthTarget{URL: "http://" + host + ":80/latest/meta-data"}), "link-local", host)
	}
}
