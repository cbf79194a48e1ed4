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

// proxy stands between one client and etcd. Frozen, it hands nothing on and says
// nothing, as a network does that has lost the packets.
type proxy struct {
	listener net.Listener
	target   string

	mu     sync.Mutex
	thawed chan struct{} // closed while traffic flows
	conns  []net.Conn
	pumps  sync.WaitGroup
}

// behindProxy returns a client of the shared server whose connection can be frozen.
func behindProxy(t *testing.T) (*clientv3.Client, *proxy) {
	t.Helper()
	target, err := url.Parse(etcdtest.Client(t).Endpoints()[0])
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, target: target.Host, thawed: make(chan struct{})}
	close(p.thawed)
	p.pumps.Go(p.accept)
	t.Cleanup(p.close)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://" + listener.Addr().String()}, Logger: zap.NewNop(), MaxUnaryRetries: 1})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client, p
}

func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.thawed = make(chan struct{})
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.thawed:
	default:
		close(p.thawed)
	}
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.thaw()
	p.mu.Lock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.pumps.Wait()
}

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, near, far)
		p.mu.Unlock()
		p.pumps.Go(func() { p.pump(near, far) })
		p.pumps.Go(func() { p.pump(far, near) })
	}
}

// pump hands on what it reads, when traffic flows.
func (p *proxy) pump(to io.WriteCloser, from io.Reader) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		thawed := p.thawed
		p.mu.Unlock()
		<-thawed
		if _, errWrite := to.Write(buffer[:n]); err != nil || errWrite != nil {
			return
		}
	}
}
