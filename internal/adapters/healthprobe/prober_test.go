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
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers every request in the same way until the test ends.
func serve(t *testing.T, answer http.HandlerFunc) (url string) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL
}

// speak answers every connection with this, once it has been asked something, and
// closes it.
func speak(t *testing.T, text string) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	over := make(chan struct{})
	go func() {
		defer close(over)
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
		<-over
	})
	return "http://" + listener.Addr().String()
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	tests := map[int]string{
		200: "", 204: "", 299: "",
		301: "301 Moved Permanently", 304: "304 Not Modified", 404: "404 Not Found", 500: "500 Internal Server Error", 503: "503 Service Unavailable",
	}
	for status, want := range tests {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		err := healthprobe.New(0).Probe(t.Context(), url+"/healthz")
		if want == "" {
			require.NoError(t, err, "status %d", status)
			continue
		}
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, url+"/healthz")
	}
}

func TestWhatIsAsked(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 1)
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r })
	require.NoError(t, healthprobe.New(0).Probe(t.Context(), url+"/well?"))
	request := <-asked
	require.Equal(t, http.MethodGet, request.Method)
	require.Equal(t, "/well", request.URL.Path)
	require.Equal(t, "rtmanager-health", request.UserAgent())
	require.True(t, request.Close, "a connection that is kept says that the game before a restart is well")
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	target := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) })
	require.ErrorContains(t, healthprobe.New(0).Probe(t.Context(), url), "302 Found")
	require.Zero(t, elsewhere.Load())
}

func TestGameThatHangs(t *testing.T) {
	t.Parallel()
	let := make(chan struct{})
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-let:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(let) })
	require.ErrorIs(t, healthprobe.New(50*time.Millisecond).Probe(t.Context(), url), context.DeadlineExceeded)
}

// A game that answers well, and then never comes to an end.
func TestAnswerWithoutEnd(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	require.NoError(t, healthprobe.New(50*time.Millisecond).Probe(t.Context(), url))
}

// Nobody reads gigabytes to learn how a game is.
func TestHugeAnswerIsNotRead(t *testing.T) {
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
	require.NoError(t, healthprobe.New(30*time.Second).Probe(t.Context(), url))
	require.Less(t, <-wrote, int64(huge))
}

func TestAnswersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"garbage": "\x00\x01\x02 nonsense\r\n\r\n", "nothing": "", "half": "HTTP/1.1 200", "status": "HTTP/1.1 999999 OK\r\n\r\n",
	} {
		require.Error(t, healthprobe.New(0).Probe(t.Context(), speak(t, text)), name)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.ErrorContains(t, healthprobe.New(0).Probe(t.Context(), "http://"+listener.Addr().String()), "connection refused")
}

func TestCallerWhoLeaves(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
	})
	require.ErrorIs(t, healthprobe.New(0).Probe(ctx, url), context.Canceled)
}

func TestAddressThatIsNone(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, healthprobe.New(0).Probe(t.Context(), "http://a b"), `"http://a b"`)
}

// A record that somebody wrote must not make the manager ask the machine's own services.
func TestLinkLocalAddressIsNotAsked(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "224.0.0.1"} {
		require.ErrorContains(t, healthprobe.New(0).Probe(t.Context(), "http://"+host+":80/latest/meta-data"), "link-local", host)
	}
}
