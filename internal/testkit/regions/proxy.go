package regions

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// chunkSize is the largest number of bytes that a proxy forwards at once, and queueLength
// the number of chunks that may be on their way in one direction of a connection.
const (
	chunkSize   = 64 << 10
	queueLength = 4096
)

// Proxy forwards connections to one server of a region. It is safe for concurrent use.
type Proxy struct {
	network  *Network
	traffic  Traffic
	region   string
	listener net.Listener
	ctx      context.Context // ends with the test
	tasks    sync.WaitGroup

	mu     sync.Mutex
	target string
	conns  map[net.Conn]bool
}

// Proxy returns a proxy for a server in the region. It closes connections at once until
// SetTarget is called.
func (n *Network) Proxy(traffic Traffic, region string) *Proxy {
	n.tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a loopback port
	require.NoError(n.tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{network: n, traffic: traffic, region: region, listener: listener, ctx: ctx, conns: map[net.Conn]bool{}}
	p.tasks.Go(p.accept)
	n.tb.Cleanup(func() {
		cancel()
		_ = listener.Close()
		p.CloseConnections()
		p.tasks.Wait()
	})
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
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
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
	target := p.target
	p.mu.Unlock()
	remote := p.network.regionOf(portOf(client.RemoteAddr()), portOf(client.LocalAddr()), p.region)
	server, err := net.Dial("tcp", target) //nolint:noctx // loopback
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	defer p.track(client, server)()
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	var copies sync.WaitGroup
	for _, direction := range []struct {
		from, to net.Conn
		path     *path
	}{
		{client, server, p.network.path(route{p.traffic, remote, p.region})},
		{server, client, p.network.path(route{p.traffic, p.region, remote})},
	} {
		copies.Go(func() {
			copyDelayed(ctx, direction.from, direction.to, direction.path)
			cancel() // the other direction ends as well
			_ = client.Close()
			_ = server.Close()
		})
	}
	copies.Wait()
}

// track registers the connections for CloseConnections until the returned function is
// called.
func (p *Proxy) track(conns ...net.Conn) (untrack func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		p.conns[conn] = true
	}
	if p.ctx.Err() != nil { // CloseConnections has been called for the last time
		for _, conn := range conns {
			_ = conn.Close()
		}
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, conn := range conns {
			delete(p.conns, conn)
		}
	}
}

// chunk is what one read returned; a nil chunk is the end of the stream.
type chunk struct {
	data []byte
	sent time.Time
}

// copyDelayed copies bytes and the end of the stream. Each chunk arrives when the path
// has delivered it.
func copyDelayed(ctx context.Context, from, to net.Conn, path *path) {
	queue := make(chan chunk, queueLength)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(queue)
		for {
			buffer := make([]byte, chunkSize)
			count, err := from.Read(buffer)
			select {
			case queue <- chunk{buffer[:count], time.Now()}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	for next := range queue {
		if path.wait(ctx, next.sent) != nil {
			break
		}
		if _, err := to.Write(next.data); err != nil {
			break
		}
	}
	_ = from.Close()
	for range queue { // lets the reader return
	}
	reader.Wait()
}

func portOf(addr net.Addr) int {
	if tcp, isTCP := addr.(*net.TCPAddr); isTCP {
		return tcp.Port
	}
	return 0
}
