package nodetest

import (
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// Partition cuts the node off from etcd: every request fails, and its lease expires. The
// node keeps running. The node must have its own client, which is the default.
func (n *Node) Partition() { n.link.cut.Store(true) }

// Reconnect ends Partition.
func (n *Node) Reconnect() { n.link.cut.Store(false) }

// Crash stops the node as a loss of power does: it releases nothing, and its session lasts
// until the lease expires. Its games keep running, and Restart finds them.
func (n *Node) Crash() {
	n.Partition()
	n.stopWorkers()
	_ = n.Service.Close()
	_ = n.Member.Close()
}

// Restart returns the next daemon of a crashed node. Its workers do nothing before Run.
func (n *Node) Restart() *Node {
	n.t.Helper()
	cfg := n.Config
	cfg.Client, cfg.WrapEngine = nil, nil
	cfg.NewEngine = func(string) ports.Engine { return n.Engine }
	return New(n.t, cfg)
}

// faultLink is the connection of a client, which can be cut.
type faultLink struct{ cut atomic.Bool }

// injectFaults makes the requests of the client fail while the link is cut.
func injectFaults(client *clientv3.Client) *faultLink {
	l := &faultLink{}
	faultkv.Wrap(client).OnRequest(l.err)
	faultkv.WrapLease(client, l.err)
	return l
}

func (l *faultLink) err() error {
	if l.cut.Load() {
		return status.Error(codes.Unavailable, "partitioned by the test")
	}
	return nil
}
