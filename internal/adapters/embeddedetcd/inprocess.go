package embeddedetcd

import (
	"context"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter"
	"google.golang.org/grpc"

	"galaxy/rtmanager/internal/etcd"
)

// InProcess returns a client that calls the server without a network. closeAndWait closes
// the client and waits for its calls in the server, which could otherwise read a closed database: that
// terminates the process.
func InProcess(server *etcdserver.EtcdServer) (client *clientv3.Client, closeAndWait func()) {
	g := newGate()
	client = newInProcess(server, g)
	return client, func() {
		_ = client.Close() // always returns "context canceled"
		g.close()
	}
}

// newInProcess returns an in-process client whose calls pass the gate.
func newInProcess(server *etcdserver.EtcdServer, g *gate) *clientv3.Client {
	client := v3client.New(server)
	client.KV = etcd.NewKV(newKVClient(gatedKV{v3rpc.NewQuotaKVServer(server), g}), client)
	client.Watcher = clientv3.NewWatchFromWatchClient(adapter.WatchServerToWatchClient(gatedWatch{v3rpc.NewWatchServer(server), g}), client)
	maintenance := gatedMaintenance{v3rpc.NewMaintenanceServer(server, nil), g}
	client.Maintenance = clientv3.NewMaintenanceFromMaintenanceClient(adapter.MaintenanceServerToMaintenanceClient(maintenance), client)
	return client
}

// kvClient is a client of a KV service in this process.
type kvClient struct {
	pb.KVClient
	server pb.KVServer
}

func newKVClient(server pb.KVServer) kvClient {
	return kvClient{adapter.KvServerToKvClient(server), server}
}

// RangeStream implements etcdserverpb.KVClient. The adapter of etcd does not support it.
func (c kvClient) RangeStream(ctx context.Context, r *pb.RangeRequest, _ ...grpc.CallOption) (pb.KV_RangeStreamClient, error) {
	s := &rangeStream{ctx: ctx, responses: make(chan *pb.RangeStreamResponse)}
	go func() {
		defer close(s.responses)
		s.err = c.server.RangeStream(r, rangeStreamServer{rangeStream: s})
	}()
	return rangeStreamClient{rangeStream: s}, nil
}

// rangeStream is a stream between the two sides of a call in this process. The server's side ends
// with ctx.
type rangeStream struct {
	ctx       context.Context
	responses chan *pb.RangeStreamResponse
	err       error // of the call; read after responses is closed
}

// rangeStreamServer and rangeStreamClient are the sides of a rangeStream.
type (
	rangeStreamServer struct {
		grpc.ServerStream
		*rangeStream
	}
	rangeStreamClient struct {
		grpc.ClientStream
		*rangeStream
	}
)

// Context implements grpc.ServerStream.
func (s rangeStreamServer) Context() context.Context { return s.ctx }

// Context implements grpc.ClientStream.
func (s rangeStreamClient) Context() context.Context { return s.ctx }

// Send implements etcdserverpb.KV_RangeStreamServer.
func (s rangeStreamServer) Send(response *pb.RangeStreamResponse) error {
	select {
	case s.responses <- response:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// Recv implements etcdserverpb.KV_RangeStreamClient.
func (s rangeStreamClient) Recv() (*pb.RangeStreamResponse, error) {
	response, isOpen := <-s.responses
	switch {
	case isOpen:
		return response, nil
	case s.err != nil:
		return nil, s.err
	default:
		return nil, io.EOF
	}
}
