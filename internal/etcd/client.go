package etcd

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Options tune a Client. Both timeouts must be set.
type Options struct {
	// CallTimeout bounds one try of a request at least; see Client.CallTimeout.
	CallTimeout time.Duration
	// OperationTimeout bounds an operation, which may be several requests, unless its
	// caller set a deadline. It is longer where the network or etcd is slow.
	OperationTimeout time.Duration
	// Logger reports retries at debug level; nil discards them.
	Logger *slog.Logger

	// SeenRevision returns a revision that the cluster has reached; nil means that none is
	// known. OnRegression is called when the response of a read has an older revision: the
	// cluster was restored from a backup. Its error errors.Is runtime.ErrForeignRevision.
	SeenRevision func() int64
	OnRegression func(error)
}

// Client makes requests to one etcd cluster. It is safe for concurrent use.
type Client struct {
	// Raw is the etcd client, for requests that must not be retried.
	Raw *clientv3.Client

	plain   *kv // see plainKV
	opts    Options
	network Network // nil for a client without a measured network
	// Reads and writes differ: a slow disk delays writes only.
	reads, writes timeouts
	clusterID     atomic.Uint64 // 0 before SetClusterID
	scanFloor     scanFloor
	streams       streamGate
}

// NewClient returns a client that sends its requests through raw. It sends none yet. The
// caller closes raw.
func NewClient(raw *clientv3.Client, opts Options) *Client {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{Raw: raw, plain: plainKV(raw), opts: opts, network: networkOf(raw)}
	c.reads.floor, c.writes.floor = opts.CallTimeout, opts.CallTimeout
	return c
}

// CallTimeout returns the timeout of one request: Options.CallTimeout at least, and longer
// when the measured round trip or recent responses were long, or recent tries have timed
// out. Only a try that another endpoint can repeat is shorter; see TryOnce.
func (c *Client) CallTimeout() time.Duration {
	roundTrip := c.roundTrip()
	read, _ := c.reads.next(roundTrip, false)
	write, _ := c.writes.next(roundTrip, false)
	return max(read, write)
}

// WithOperationTimeout bounds an operation by OperationTimeout unless ctx has a
// deadline of its own.
func (c *Client) WithOperationTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, hasDeadline := ctx.Deadline(); hasDeadline {
		return context.WithCancel(ctx)
	}
	roundTrip := c.roundTrip()
	timeout := max(c.opts.OperationTimeout, c.reads.operation(roundTrip), c.writes.operation(roundTrip))
	return context.WithTimeoutCause(ctx, timeout, ErrOperationTimeout)
}

// Get makes a linearizable read of one key or range, with retries.
func (c *Client) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	return RetryRead(ctx, c, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return c.Raw.Get(ctx, key, opts...)
	})
}

// ReadTxn makes the reads in one linearizable transaction, with retries.
func (c *Client) ReadTxn(ctx context.Context, gets ...clientv3.Op) (*clientv3.TxnResponse, error) {
	return RetryRead(ctx, c, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return c.Raw.Txn(ctx).Then(gets...).Commit()
	})
}

// Revision returns the cluster's revision by one linearizable read of the key, without
// retries. Whether the key exists makes no difference. The error is not translated.
func (c *Client) Revision(ctx context.Context, key string) (int64, error) {
	resp, err := tryOnce(ctx, c, &c.reads, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return c.Raw.Get(ctx, key, clientv3.WithKeysOnly())
	})
	if err != nil {
		return 0, err
	}
	return resp.Header.GetRevision(), c.CheckCluster(resp.Header.GetClusterId())
}

// ReadOps makes the reads in one linearizable transaction, with retries.
func (c *Client) ReadOps(ctx context.Context, gets []*pb.RequestOp) (*clientv3.TxnResponse, error) {
	return c.ReadIf(ctx, &pb.TxnRequest{Success: gets})
}

// ReadIf sends a linearizable transaction that only compares and reads, with retries.
func (c *Client) ReadIf(ctx context.Context, txn *pb.TxnRequest) (*clientv3.TxnResponse, error) {
	return RetryRead(ctx, c, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return c.SendTxn(ctx, txn)
	})
}

// GetEach reads one key per operation in one linearizable transaction, with retries. It
// returns nil for a key that does not exist.
func (c *Client) GetEach(ctx context.Context, gets []clientv3.Op) ([]*mvccpb.KeyValue, error) {
	resp, err := c.ReadTxn(ctx, gets...)
	if err != nil {
		return nil, err
	}
	found := make([]*mvccpb.KeyValue, len(gets))
	for i, r := range resp.Responses {
		if kvs := r.GetResponseRange().GetKvs(); len(kvs) > 0 {
			found[i] = kvs[0]
		}
	}
	return found, nil
}
