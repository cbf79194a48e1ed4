package embeddedetcd

import (
	"context"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter"
	"google.golang.org/grpc"
)

// InProcess returns a client that calls the server without a network in
// between, and a function that closes it and then waits for the server's side of
// its watches. That side outlives the client by what it is just reading from the
// database, and a server that is closed under it takes the process down.
func InProcess(server *etcdserver.EtcdServer) (client *clientv3.Client, closeAndWait func()) {
	client = v3client.New(server)
	running := new(sync.WaitGroup)
	handler := countedHandler{v3rpc.NewWatchServer(server), running}
	calls := countedCalls{adapter.WatchServerToWatchClient(handler), running}
	client.Watcher = clientv3.NewWatchFromWatchClient(calls, client)
	return client, func() {
		_ = client.Close() // always says "context canceled"
		running.Wait()
	}
}

// countedCalls counts a watch where the client asks for it. Each call has one
// handler, on a goroutine of etcd's own.
type countedCalls struct {
	pb.WatchClient
	running *sync.WaitGroup
}

func (c countedCalls) Watch(ctx context.Context, opts ...grpc.CallOption) (pb.Watch_WatchClient, error) {
	c.running.Add(1)
	return c.WatchClient.Watch(ctx, opts...)
}

// countedHandler takes a watch off the count when the server is through with it.
type countedHandler struct {
	pb.WatchServer
	running *sync.WaitGroup
}

func (h countedHandler) Watch(stream pb.Watch_WatchServer) error {
	defer h.running.Done()
	return h.WatchServer.Watch(stream)
}
