package embeddedetcd

import (
	"context"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
)

// gate counts the calls that an etcd server executes, and ends them before the server closes its
// database. etcd itself does not: a call that reads a closed database terminates the process, and a
// server closes its database by itself when its member is removed from the cluster.
type gate struct {
	ctx    context.Context // ends with the gate; calls run with it
	cancel context.CancelFunc

	mu       sync.Mutex
	isClosed bool
	calls    sync.WaitGroup
}

// gateTimeout bounds the wait for calls that end. Reads of the database take milliseconds, and calls that
// wait end with their context.
const gateTimeout = 5 * time.Second

func newGate() *gate {
	g := new(gate)
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// enter returns the context of a call. The caller calls leave at the end of the call. It returns an
// error if the gate is closed.
func (g *gate) enter(ctx context.Context) (bound context.Context, leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isClosed {
		return nil, nil, rpctypes.ErrGRPCStopped
	}
	g.calls.Add(1)
	bound, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.ctx, cancel)
	return bound, func() {
		stop()
		cancel()
		g.calls.Done()
	}, nil
}

// close rejects further calls, ends those that run, and waits for them.
func (g *gate) close() {
	g.mu.Lock()
	g.isClosed = true
	g.mu.Unlock()
	g.cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.calls.Wait()
	}()
	timer := time.NewTimer(gateTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// pass executes a call. A call that the end of the gate has ended returns rpctypes.ErrGRPCStopped.
func pass[R any](ctx context.Context, g *gate, call func(ctx context.Context) (R, error)) (R, error) {
	bound, leave, err := g.enter(ctx)
	if err != nil {
		var none R
		return none, err
	}
	defer leave()
	response, err := call(bound)
	if err != nil && g.ctx.Err() != nil && ctx.Err() == nil {
		err = rpctypes.ErrGRPCStopped
	}
	return response, err
}

// interceptUnary is an interceptor for the calls of network clients.
func (g *gate) interceptUnary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	return pass(ctx, g, func(ctx context.Context) (any, error) { return handler(ctx, request) })
}

// interceptStream is an interceptor for the streams of network clients.
func (g *gate) interceptStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	bound, leave, err := g.enter(stream.Context())
	if err != nil {
		return err
	}
	defer leave()
	return handler(srv, &boundStream{ServerStream: stream, ctx: bound})
}

// gatedKV is a KV service behind a gate.
type gatedKV struct {
	pb.KVServer
	gate *gate
}

// Range implements etcdserverpb.KVServer.
func (s gatedKV) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	return pass(ctx, s.gate, func(ctx context.Context) (*pb.RangeResponse, error) { return s.KVServer.Range(ctx, r) })
}

// Put implements etcdserverpb.KVServer.
func (s gatedKV) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	return pass(ctx, s.gate, func(ctx context.Context) (*pb.PutResponse, error) { return s.KVServer.Put(ctx, r) })
}

// DeleteRange implements etcdserverpb.KVServer.
func (s gatedKV) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	return pass(ctx, s.gate, func(ctx context.Context) (*pb.DeleteRangeResponse, error) { return s.KVServer.DeleteRange(ctx, r) })
}

// Txn implements etcdserverpb.KVServer.
func (s gatedKV) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	return pass(ctx, s.gate, func(ctx context.Context) (*pb.TxnResponse, error) { return s.KVServer.Txn(ctx, r) })
}

// Compact implements etcdserverpb.KVServer.
func (s gatedKV) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	return pass(ctx, s.gate, func(ctx context.Context) (*pb.CompactionResponse, error) { return s.KVServer.Compact(ctx, r) })
}

// boundRange is a stream of keys with another context.
type boundRange struct {
	pb.KV_RangeStreamServer
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s boundRange) Context() context.Context { return s.ctx }

// Send implements etcdserverpb.KV_RangeStreamServer. The server reads nothing more for a stream after the
// end of the gate.
func (s boundRange) Send(response *pb.RangeStreamResponse) error {
	if err := s.KV_RangeStreamServer.Send(response); err != nil {
		return err
	}
	return s.ctx.Err()
}

// RangeStream implements etcdserverpb.KVServer.
func (s gatedKV) RangeStream(r *pb.RangeRequest, stream pb.KV_RangeStreamServer) error {
	_, err := pass(stream.Context(), s.gate, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.KVServer.RangeStream(r, boundRange{stream, ctx})
	})
	return err
}

// gatedWatch is a watch service behind a gate.
type gatedWatch struct {
	pb.WatchServer
	gate *gate
}

// boundWatch is a watch stream with another context.
type boundWatch struct {
	pb.Watch_WatchServer
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s boundWatch) Context() context.Context { return s.ctx }

// Watch implements etcdserverpb.WatchServer.
func (s gatedWatch) Watch(stream pb.Watch_WatchServer) error {
	bound, leave, err := s.gate.enter(stream.Context())
	if err != nil {
		return err
	}
	defer leave()
	return s.WatchServer.Watch(boundWatch{stream, bound})
}

// gatedMaintenance is a maintenance service behind a gate, as far as it reads the database.
type gatedMaintenance struct {
	pb.MaintenanceServer
	gate *gate
}

// boundSnapshot is a snapshot stream with another context.
type boundSnapshot struct {
	pb.Maintenance_SnapshotServer
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s boundSnapshot) Context() context.Context { return s.ctx }

// Send implements etcdserverpb.Maintenance_SnapshotServer. A snapshot that nothing receives ends with
// its context.
func (s boundSnapshot) Send(r *pb.SnapshotResponse) error {
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	return s.Maintenance_SnapshotServer.Send(r)
}

// Snapshot implements etcdserverpb.MaintenanceServer.
func (s gatedMaintenance) Snapshot(r *pb.SnapshotRequest, stream pb.Maintenance_SnapshotServer) error {
	bound, leave, err := s.gate.enter(stream.Context())
	if err != nil {
		return err
	}
	defer leave()
	return s.MaintenanceServer.Snapshot(r, boundSnapshot{stream, bound})
}

// Hash implements etcdserverpb.MaintenanceServer.
func (s gatedMaintenance) Hash(ctx context.Context, r *pb.HashRequest) (*pb.HashResponse, error) {
	return pass(ctx, s.gate, func(ctx context.Context) (*pb.HashResponse, error) { return s.MaintenanceServer.Hash(ctx, r) })
}

// HashKV implements etcdserverpb.MaintenanceServer.
func (s gatedMaintenance) HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	return pass(ctx, s.gate, func(ctx context.Context) (*pb.HashKVResponse, error) { return s.MaintenanceServer.HashKV(ctx, r) })
}

// Defragment implements etcdserverpb.MaintenanceServer.
func (s gatedMaintenance) Defragment(ctx context.Context, r *pb.DefragmentRequest) (*pb.DefragmentResponse, error) {
	return pass(ctx, s.gate, func(ctx context.Context) (*pb.DefragmentResponse, error) {
		return s.MaintenanceServer.Defragment(ctx, r)
	})
}
