package network

import (
	"context"
	"net"
	"sync"

	"github.com/stretchr/testify/require"
)

// Proxy forwards connections to one server of a region. It is safe for concurrent use.
type Proxy struct {
	network  *Network
	traffic  Traffic
	region   string
	from     string // the region of all clients; empty means that of their process
	listener net.Listener
	ctx      context.Context // ends with the test
	tasks    sync.WaitGroup

	mu     sync.Mutex
	target string
}

// Proxy returns a proxy for a server in the region. It closes connections at once until
// SetTarget is called.
func (n *Network) Proxy(traffic Traffic, region string) *Proxy {
	n.tb.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(n.addr, "0")) //nolint:noctx // of a test
	require.NoError(n.tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{network: n, traffic: traffic, region: region, listener: listener, ctx: ctx}
	p.tasks.Go(p.accept)
	n.tb.Cleanup(func() {
		cancel()
		_ = listener.Close()
		p.CloseConnections()
		p.tasks.Wait()
	})
	return p
}

// ProxyFrom is Proxy for clients of a region, whose processes are not registered.
func (n *Network) ProxyFrom(traffic Traffic, from, region string) *Proxy {
	n.tb.Helper()
	p := n.Proxy(traffic, region)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.from = from
	return p
}

// Addr returns the address to which clients connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// URL returns the http URL of Addr.
func (p *Proxy) URL() string { return "http://" + p.Addr() }

// SetTarget sets the address of the server. It does not affect open connections.
func (p *Proxy) SetTarget(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = addr
}

// CloseConnections closes every open connection.
func (p *Proxy) CloseConnections() {
	p.network.mu.Lock()
	defer p.network.mu.Unlock()
	for l := range p.network.links {
		if l.proxy == p {
			l.close()
		}
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.tasks.Go(func() { p.forward(client) })
	}
}

// forward connects to the server and copies both directions until one end closes.
func (p *Proxy) forward(client net.Conn) {
	defer func() { _ = client.Close() }()
	p.mu.Lock()
	target, remote := p.target, p.from
	p.mu.Unlock()
	if remote == "" {
		remote = p.network.regionOf(client, p.region)
	}
	server, err := net.Dial("tcp", target) //nolint:noctx // loopback
	if err != nil {
		return
	}
	l := &link{proxy: p, route: route{p.traffic, remote, p.region}, client: client, server: server}
	defer p.track(l)()
	l.forward(p.ctx)
}

// track registers the connection until the returned function is called.
func (p *Proxy) track(l *link) (untrack func()) {
	p.network.mu.Lock()
	defer p.network.mu.Unlock()
	p.network.links[l] = true
	if p.ctx.Err() != nil { // CloseConnections has been called for the last time
		l.close()
	}
	return func() {
		p.network.mu.Lock()
		defer p.network.mu.Unlock()
		delete(p.network.links, l)
	}
}
