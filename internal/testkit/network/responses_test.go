package network_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/network"
)

// startHTTP returns a network, a function that posts a request over it, and the number of requests
// whose body the server has read completely. The server returns a large response.
func startHTTP(t *testing.T, isHTTP2 bool) (n *network.Network, post func() error, count *atomic.Int64) {
	t.Helper()
	n, count = network.New(t), new(atomic.Int64)
	n.Register(other, os.Getpid())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && len(body) == 100_000 {
			count.Add(1)
		}
		_, _ = io.WriteString(w, strings.Repeat("a", 200_000))
	}))
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!isHTTP2)
	protocols.SetUnencryptedHTTP2(isHTTP2)
	server.Config.Protocols = protocols
	server.Start()
	t.Cleanup(server.Close)
	proxy := n.Proxy(network.Clients, home)
	proxy.SetTarget(server.Listener.Addr().String())
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return n, func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, proxy.URL(), strings.NewReader(strings.Repeat("b", 100_000)))
		if err != nil {
			return err
		}
		request.GetBody = nil // without it, the transport does not retry
		resp, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}, count
}

func TestLostResponsesAreThoseOfCompleteRequests(t *testing.T) {
	t.Parallel()
	for name, isHTTP2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, post, count := startHTTP(t, isHTTP2)
			require.NoError(t, post())
			n.LoseResponses(other, home, 1)
			for range 3 {
				require.ErrorContains(t, post(), "reset")
			}
			require.EqualValues(t, 4, count.Load(), "the server has executed every request")
			n.Repair()
			require.NoError(t, post())
		})
	}
}

func TestShareOfLostResponses(t *testing.T) {
	t.Parallel()
	for name, isHTTP2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, post, count := startHTTP(t, isHTTP2)
			n.LoseResponses(other, home, 0.5, network.Clients)
			lost := 0
			for range 64 {
				if post() != nil {
					lost++
				}
			}
			require.EqualValues(t, 64, count.Load(), "the server has executed every request")
			require.Positive(t, lost)
			require.Less(t, lost, 64)
		})
	}
}
