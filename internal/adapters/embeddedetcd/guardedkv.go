package embeddedetcd

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/etcdserver/txn"
	"golang.org/x/time/rate"

	"galaxy/rtmanager/internal/etcd"
)

// Bounds of the writes with etcd.UseReserve on a full disk. A stop makes about six writes of
// 2 KiB. They go to files whose space is allocated ahead: a log file of 16 MiB, and the
// database, to which each transaction adds a few pages until the next one.
const (
	reserveBurst     = 1 << 20  // bytes at once
	reservePerMinute = 64 << 10 // bytes
	reserveMaxTxn    = 64 << 10 // bytes of one transaction
	// reserveTxnCost is added to the bytes of each transaction.
	reserveTxnCost = 4 << 10
)

// guardedServer is the KV service of a member. While isReadOnly returns true it rejects
// writes, with the error that etcd returns at its quota. It lets pass what a full disk can
// take: deletions, and keys on a lease, which are few and small and keep the node present. It
// also lets pass the writes with etcd.UseReserve, within a budget: otherwise a game that fills
// the disk could not be stopped.
//
// While hasLeader returns false it rejects all requests but reads of the member's own data, as
// etcd does for clients that require a leader. The member itself would wait for one.
//
// While isStopping returns true it rejects all requests: a member that was removed from its cluster
// closes its database by itself, and a read of the database would then end the process.
type guardedServer struct {
	pb.KVServer
	isReadOnly func() bool
	hasLeader  func() bool
	isStopping func() bool
	reserve    *rate.Limiter // in bytes
}

func newGuardedServer(server pb.KVServer, isReadOnly, hasLeader, isStopping func() bool) guardedServer {
	return guardedServer{KVServer: server, isReadOnly: isReadOnly, hasLeader: hasLeader, isStopping: isStopping, reserve: rate.NewLimiter(rate.Limit(reservePerMinute)/60, reserveBurst)}
}

// newGuardedKV returns the KV of an in-process client that calls a guardedServer through the gate.
func newGuardedKV(server *etcdserver.EtcdServer, calls *gate, client *clientv3.Client, isReadOnly func() bool) clientv3.KV {
	hasLeader := func() bool { return server.Lead() != 0 }
	isStopping := func() bool {
		select {
		case <-server.StoppingNotify():
			return true
		default:
			return false
		}
	}
	guarded := newGuardedServer(gatedKV{v3rpc.NewQuotaKVServer(server), calls}, isReadOnly, hasLeader, isStopping)
	return etcd.NewKV(newKVClient(guarded), client)
}

// check returns the error of a request that the member cannot serve now. isLocal reports
// that the request only needs the data of the member itself.
func (s guardedServer) check(isLocal bool) error {
	switch {
	case s.isStopping():
		return rpctypes.ErrGRPCStopped
	case !isLocal && !s.hasLeader():
		return rpctypes.ErrGRPCNoLeader
	}
	return nil
}

// Range implements etcdserverpb.KVServer.
func (s guardedServer) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if err := s.check(r.Serializable); err != nil {
		return nil, err
	}
	return s.KVServer.Range(ctx, r)
}

// RangeStream implements etcdserverpb.KVServer.
func (s guardedServer) RangeStream(r *pb.RangeRequest, stream pb.KV_RangeStreamServer) error {
	if err := s.check(r.Serializable); err != nil {
		return err
	}
	return s.KVServer.RangeStream(r, stream)
}

// DeleteRange implements etcdserverpb.KVServer.
func (s guardedServer) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	if err := s.check(false); err != nil {
		return nil, err
	}
	return s.KVServer.DeleteRange(ctx, r)
}

// Put implements etcdserverpb.KVServer.
func (s guardedServer) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	if err := s.check(false); err != nil {
		return nil, err
	}
	if r.Lease == 0 && s.isReadOnly() {
		return nil, rpctypes.ErrGRPCNoSpace
	}
	return s.KVServer.Put(ctx, r)
}

// Txn implements etcdserverpb.KVServer.
func (s guardedServer) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if err := s.check(txn.IsTxnSerializable(r)); err != nil {
		return nil, err
	}
	if s.isReadOnly() {
		if bytes := durableBytes(r); bytes > 0 && !s.takeReserve(ctx, bytes) {
			return nil, rpctypes.ErrGRPCNoSpace
		}
	}
	return s.KVServer.Txn(ctx, r)
}

// takeReserve reports whether a transaction may put the bytes nevertheless, and takes them
// from the budget.
func (s guardedServer) takeReserve(ctx context.Context, bytes int) bool {
	return etcd.MayUseReserve(ctx) && bytes <= reserveMaxTxn && s.reserve.AllowN(time.Now(), bytes+reserveTxnCost)
}

// durableBytes returns the bytes of the keys and values that a transaction may put without a
// lease.
func durableBytes(r *pb.TxnRequest) (bytes int) {
	for _, ops := range [][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range ops {
			if put := op.GetRequestPut(); put != nil && put.Lease == 0 {
				bytes += len(put.Key) + len(put.Value)
			}
			if nested := op.GetRequestTxn(); nested != nil {
				bytes += durableBytes(nested)
			}
		}
	}
	return bytes
}
