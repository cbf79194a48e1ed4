package httpclient_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/ports"
)

// faultyNetwork dials connections that fail after a number of bytes from the server.
type faultyNetwork struct {
	mu sync.Mutex // guards the rest
	// byteLimits are the numbers of bytes after which the next connections fail.
	// Connections beyond the list have no limit.
	byteLimits []int
	// hang makes a connection hang at its limit instead of resetting it.
	hang   bool
	dials  int
	newest *limitedConn
}

func (n *faultyNetwork) config() httpclient.Config {
	cfg := fastRetries()
	cfg.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: n.dial}}
	return cfg
}

func (n *faultyNetwork) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, kind, address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials++
	n.newest = &limitedConn{Conn: conn, remaining: -1, hang: n.hang, closed: make(chan struct{})}
	if len(n.byteLimits) > 0 {
		n.newest.remaining, n.byteLimits = n.byteLimits[0], n.byteLimits[1:]
	}
	return n.newest, nil
}

// breakConnection breaks the newest connection.
func (n *faultyNetwork) breakConnection() {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = n.newest.Close()
}

// limitedConn passes the remaining bytes of its input, all of it if remaining is negative.
type limitedConn struct {
	net.Conn
	remaining int
	hang      bool
	once      sync.Once
	closed    chan struct{}
}

func (l *limitedConn) Read(p []byte) (int, error) {
	switch {
	case l.remaining < 0:
		return l.Conn.Read(p)
	case l.remaining == 0 && l.hang:
		<-l.closed
		return 0, net.ErrClosed
	case l.remaining == 0:
		return 0, syscall.ECONNRESET
	}
	n, err := l.Conn.Read(p[:min(len(p), l.remaining)])
	l.remaining -= n
	return n, err
}

func (l *limitedConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}

// rangeWatch ranges over a watch until the consumer returns false, and returns the
// error that ended it. It fails the test if that takes too long.
func rangeWatch(t *testing.T, s ports.RuntimeWatcher, options ports.WatchOptions, consumer func(ports.RuntimeEvent) bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for event, err := range s.Watch(ctx, options) {
		if err != nil {
			require.NoError(t, ctx.Err(), "the watch waits for an event that does not arrive")
			require.Zero(t, event, "an error has no event: %v", err)
			return err
		}
		if !consumer(event) {
			return nil
		}
	}
	return errors.New("the watch ended without an error")
}
