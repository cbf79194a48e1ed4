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

// network dials connections that fail after a number of bytes from the server.
type network struct {
	mu sync.Mutex // guards the rest
	// allow is how many bytes each next connection passes; none is left when it
	// is used up, and then connections pass all.
	allow []int
	// silent connections end with silence instead of a reset.
	silent bool
	dials  int
	last   *badLine
}

func (n *network) config() httpclient.Config {
	cfg := patient()
	cfg.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: n.dial}}
	return cfg
}

func (n *network) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, kind, address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials++
	n.last = &badLine{Conn: conn, left: -1, silent: n.silent, closed: make(chan struct{})}
	if len(n.allow) > 0 {
		n.last.left, n.allow = n.allow[0], n.allow[1:]
	}
	return n.last, nil
}

// cut breaks the newest connection.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = n.last.Close()
}

// badLine passes so many bytes of what comes in, all of it when left is negative.
type badLine struct {
	net.Conn
	left   int
	silent bool
	once   sync.Once
	closed chan struct{}
}

func (l *badLine) Read(p []byte) (int, error) {
	switch {
	case l.left < 0:
		return l.Conn.Read(p)
	case l.left == 0 && l.silent:
		<-l.closed
		return 0, net.ErrClosed
	case l.left == 0:
		return 0, syscall.ECONNRESET
	}
	n, err := l.Conn.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

func (l *badLine) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}

// follow ranges over a watch until the consumer returns false, and returns the
// error that ended it. It fails the test when that takes too long.
func follow(t *testing.T, s ports.RuntimeWatcher, options ports.WatchOptions, consumer func(ports.RuntimeEvent) bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for event, err := range s.Watch(ctx, options) {
		if err != nil {
			require.NoError(t, ctx.Err(), "the watch still waits for what does not come")
			require.Zero(t, event, "the event beside the error %v", err)
			return err
		}
		if !consumer(event) {
			return nil
		}
	}
	return errors.New("the watch ended without an error")
}
