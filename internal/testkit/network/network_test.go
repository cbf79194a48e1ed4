package network_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/network"
)

const (
	home  = "eu" // the region of the server
	other = "us" // the region of the test
)

// startEcho returns a network with a server in one region that returns what it receives, and a
// proxy of the server. The test is in the other region.
func startEcho(t *testing.T) (*network.Network, *network.Proxy) {
	t.Helper()
	n := network.New(t)
	n.Register(other, os.Getpid())
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	proxy := n.Proxy(network.API, home)
	proxy.SetTarget(listener.Addr().String())
	return n, proxy
}

func dial(t *testing.T, proxy *network.Proxy) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", proxy.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// roundTrip sends the bytes, requires their echo and returns how long that took.
func roundTrip(t *testing.T, conn net.Conn, data []byte) time.Duration {
	t.Helper()
	since := time.Now()
	_, err := conn.Write(data)
	require.NoError(t, err)
	requireReceived(t, conn, data)
	return time.Since(since)
}

func requireReceived(t *testing.T, conn net.Conn, data []byte) {
	t.Helper()
	received := make([]byte, len(data))
	_, err := io.ReadFull(conn, received)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, received), "other bytes, or another order")
}

// requireNothing requires that the connection is open and delivers no byte for a moment.
func requireNothing(t *testing.T, conn net.Conn) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, conn.SetReadDeadline(time.Time{}))
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	n, proxy := startEcho(t)
	n.SetRoundTrip(home, other, 40*time.Millisecond)
	conn := dial(t, proxy)
	require.GreaterOrEqual(t, roundTrip(t, conn, []byte("a")), 40*time.Millisecond)
	require.GreaterOrEqual(t, roundTrip(t, conn, []byte("b")), 40*time.Millisecond)
}

func TestBlockedBytesArriveAfterTheRepair(t *testing.T) {
	t.Parallel()
	for name, block := range map[string]func(*network.Network){
		"both directions":   func(n *network.Network) { n.Cut(home, other) },
		"requests":          func(n *network.Network) { n.Block(other, home) },
		"responses":         func(n *network.Network) { n.Block(home, other, network.API) },
		"held responses":    func(n *network.Network) { n.HoldResponses(other, home) },
		"an isolated area":  func(n *network.Network) { n.Isolate(home) },
		"all from a region": func(n *network.Network) { n.BlockFrom(home) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, proxy := startEcho(t)
			conn := dial(t, proxy)
			roundTrip(t, conn, []byte("before"))
			block(n)
			_, err := conn.Write([]byte("during"))
			require.NoError(t, err)
			requireNothing(t, conn)
			n.Repair()
			requireReceived(t, conn, []byte("during"))
		})
	}
}

func TestFaultsConcernOneDirectionAndKind(t *testing.T) {
	t.Parallel()
	n, proxy := startEcho(t)
	n.Cut(home, other, network.Peers, network.Clients)
	n.HoldResponses(home, other)
	n.LoseResponses(home, other, 1)
	n.Cut(home, "ap")
	roundTrip(t, dial(t, proxy), []byte("a"))
}

func TestResetConnections(t *testing.T) {
	t.Parallel()
	n, proxy := startEcho(t)
	conn := dial(t, proxy)
	roundTrip(t, conn, []byte("a"))
	require.Zero(t, n.ResetConnections(other, home, network.Peers))
	require.Zero(t, n.ResetConnections(home, other))
	require.Equal(t, 1, n.ResetConnections(other, home))
	_, err := conn.Read(make([]byte, 1))
	require.ErrorContains(t, err, "connection reset by peer")
	roundTrip(t, dial(t, proxy), []byte("b"))
}

func TestQuality(t *testing.T) {
	t.Parallel()
	many := bytes.Repeat([]byte("0123456789abcdef"), 1<<14) // 256 KiB
	for name, test := range map[string]struct {
		quality network.Quality
		min     time.Duration
	}{
		"loss":      {network.Quality{Loss: 1}, 200 * time.Millisecond},
		"bandwidth": {network.Quality{Bandwidth: len(many) * 2}, 500 * time.Millisecond},
		"jitter":    {network.Quality{Jitter: 20 * time.Millisecond}, 0},
		"rare loss": {network.Quality{Loss: 0.1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, proxy := startEcho(t)
			conn := dial(t, proxy)
			n.SetQuality(other, home, test.quality)
			go func() { _, _ = conn.Write(many) }()
			since := time.Now()
			requireReceived(t, conn, many)
			require.GreaterOrEqual(t, time.Since(since), test.min)
		})
	}
}

// Clients that are not registered count as being in the region of the proxy that they use.
func TestProxyFrom(t *testing.T) {
	t.Parallel()
	n, proxy := startEcho(t)
	far := n.ProxyFrom(network.API, "ap", home)
	far.SetTarget(proxy.Addr())
	conn := dial(t, far)
	roundTrip(t, conn, []byte("before"))
	n.Cut(home, "ap")
	_, err := conn.Write([]byte("during"))
	require.NoError(t, err)
	requireNothing(t, conn)
	roundTrip(t, dial(t, proxy), []byte("by another link"))
	n.Repair()
	requireReceived(t, conn, []byte("during"))
}
