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

// InProcess returns a client that calls the server without a network. closeAndWait closes
// the client and waits for the server side of its watches: it can still read the database
// for a moment after the client has closed. A server that is closed during such a read
// terminates the process.
func InProcess(server *etcdserver.EtcdServer) (client *clientv3.Client, closeAndWait func()) {
	client = v3client.New(server)
	running := new(sync.WaitGroup)
	watchServer := countingWatchServer{v3rpc.NewWatchServer(server), running}
	watchClient := countingWatchClient{adapter.WatchServerToWatchClient(watchServer), running}
	client.Watcher = clientv3.NewWatchFromWatchClient(watchClient, client)
	return client, func() {
		_ = client.Close() // always returns "context canceled"
		running.Wait()
	}
}

// countingWatchClient adds each watch to running when the client opens it. Each call
// has one handler, on a goroutine of etcd.
type countingWatchClient struct {
	pb.WatchClient
	running *sync.WaitGroup
}

// Watch implements etcdserverpb.WatchClient.
func (c countingWatchClient) Watch(ctx context.Context, opts ...grpc.CallOption) (pb.Watch_WatchClient, error) {
	c.running.Add(1)
	return c.WatchClient.Watch(ctx, opts...)
}

// countingWatchServer removes a watch from running when its handler has returned.
type countingWatchServer struct {
	pb.WatchServer
	running *sync.WaitGroup
}

// Watch implements etcdserverpb.WatchServer.
func (s countingWatchServer) Watch(stream pb.Watch_WatchServer) error {
	defer s.running.Done()
	return s.WatchServer.Watch(stream)
}
