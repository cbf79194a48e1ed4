package etcdmembers_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// proxy forwards the traffic between one client and etcd. While paused it forwards
// nothing and keeps the connections open, as a network that loses all packets does.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	running chan struct{} // closed while the proxy forwards
	conns   []net.Conn
	pumps   sync.WaitGroup
}

// behindProxy returns a client of the shared server whose connection can be paused.
func behindProxy(t *testing.T) (*clientv3.Client, *proxy) {
	t.Helper()
	target, err := url.Parse(etcdtest.Client(t).Endpoints()[0])
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, target: target.Host, running: make(chan struct{})}
	close(p.running)
	p.pumps.Go(p.accept)
	t.Cleanup(p.close)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://" + listener.Addr().String()}, Logger: zap.NewNop(), MaxUnaryRetries: 1})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client, p
}

func (p *proxy) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = make(chan struct{})
}

func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.running:
	default:
		close(p.running)
	}
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.resume()
	p.mu.Lock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.pumps.Wait()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target := p.target
		p.mu.Unlock()
		server, err := net.Dial("tcp", target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.pumps.Go(func() { p.pump(client, server) })
		p.pumps.Go(func() { p.pump(server, client) })
	}
}

// pump copies data from one connection to the other while the proxy is not paused.
func (p *proxy) pump(to io.WriteCloser, from io.Reader) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		running := p.running
		p.mu.Unlock()
		<-running
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}
