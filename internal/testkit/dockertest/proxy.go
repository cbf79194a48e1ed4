package dockertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/client"
)

// Proxy is a socket before the Docker Engine of this machine, whose connection a test disturbs. It is safe for
// concurrent use.
type Proxy struct {
	// Host is the address of the socket for a client.
	Host string

	server    *http.Server
	forward   *httputil.ReverseProxy
	transport *http.Transport
	served    sync.WaitGroup

	mu     sync.Mutex
	isAway bool
	// lostShare is the probability that the response to a request that changes something is lost.
	lostShare float64
	hanging   chan struct{} // closed when requests continue; nil if they do not hang
	open      map[net.Conn]bool
}

// NewProxy returns a proxy whose socket is in the directory. It fails if the engine has no socket. The caller
// closes it.
func NewProxy(api *client.Client, dir string) (*Proxy, error) {
	engine, isLocal := strings.CutPrefix(api.DaemonHost(), "unix://")
	if !isLocal {
		return nil, fmt.Errorf("the Docker Engine at %s has no socket", api.DaemonHost())
	}
	socket := filepath.Join(dir, "docker.sock")
	listener, err := net.Listen("unix", socket) //nolint:noctx // of the test
	if err != nil {
		return nil, err
	}
	p := &Proxy{Host: "unix://" + socket, open: map[net.Conn]bool{}}
	p.transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", engine)
	}}
	p.forward = &httputil.ReverseProxy{
		Transport: p.transport, FlushInterval: -1, // a stream is delivered as it arrives
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "docker"}) },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.forward.ModifyResponse = func(r *http.Response) error {
		if r.Request.Method != http.MethodGet && p.losesResponse() {
			return errors.Join(errors.New("the response is lost"), r.Body.Close())
		}
		return nil
	}
	p.server = &http.Server{Handler: p, ConnState: p.track, ReadHeaderTimeout: time.Minute}
	p.served.Go(func() { _ = p.server.Serve(listener) })
	return p, nil
}

// Close ends all connections.
func (p *Proxy) Close() error {
	p.Repair()
	err := p.server.Close()
	p.served.Wait()
	p.transport.CloseIdleConnections()
	return err
}

// SetAway closes all connections, and new ones at once.
func (p *Proxy) SetAway() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isAway = true
	for conn := range p.open {
		_ = conn.Close()
	}
}

// Hang lets all new requests wait until Repair.
func (p *Proxy) Hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hanging == nil {
		p.hanging = make(chan struct{})
	}
}

// LoseResponses loses a share of the responses to requests that change something, after the engine has executed
// them.
func (p *Proxy) LoseResponses(share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lostShare = share
}

// Repair ends what the other methods have started.
func (p *Proxy) Repair() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isAway, p.lostShare = false, 0
	if p.hanging != nil {
		close(p.hanging)
		p.hanging = nil
	}
}

// ServeHTTP forwards a request to the engine.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	isAway, hanging := p.isAway, p.hanging
	p.mu.Unlock()
	if hanging != nil {
		select {
		case <-hanging:
		case <-r.Context().Done():
			return
		}
	}
	if isAway {
		panic(http.ErrAbortHandler)
	}
	p.forward.ServeHTTP(w, r)
}

func (p *Proxy) losesResponse() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return rand.Float64() < p.lostShare //nolint:gosec // chance
}

// track keeps the open connections.
func (p *Proxy) track(conn net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		if p.open[conn] = true; p.isAway {
			_ = conn.Close()
		}
	case http.StateClosed:
		delete(p.open, conn)
	default: // an upgraded connection remains open
	}
}
