package etcdmembers_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/domain/node"
)

// slowEtcd responds to the requests of one membership, to each renewal after the delay,
// and to none after stopped is closed. It is for a bubble of fake time, in which a real
// etcd cannot run.
type slowEtcd struct {
	clientv3.KV
	clientv3.Lease
	delay    time.Duration
	stopped  chan struct{} // closed when it stops responding
	renewals chan time.Time

	// members is the number of its endpoints. Requests select one after the other. The last
	// does not respond if there are several.
	members  int64
	requests atomic.Int64
}

func (e *slowEtcd) client() *clientv3.Client {
	return &clientv3.Client{KV: e, Lease: e, Watcher: uselessWatcher{}}
}

// respond waits as a request does. It returns ctx's error if there is no response.
func (e *slowEtcd) respond(ctx context.Context, delay time.Duration) error {
	if n := e.requests.Add(1); e.members > 1 && n%e.members == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-e.stopped:
		<-ctx.Done()
		return ctx.Err()
	default:
		return nil
	}
}

var slowNodeFence = node.Fence{Key: "/nodes/eu/n1", CreateRevision: 7}

func (e *slowEtcd) Get(ctx context.Context, key string, _ ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	resp := &clientv3.GetResponse{Header: &etcdserverpb.ResponseHeader{Revision: 7}}
	if key == "/leaders/eu" {
		resp.Kvs = []*mvccpb.KeyValue{{Key: []byte(key), CreateRevision: 7}}
	}
	return resp, e.respond(ctx, 0)
}

func (e *slowEtcd) Txn(ctx context.Context) clientv3.Txn { return &slowTxn{e, ctx} }

func (e *slowEtcd) Grant(ctx context.Context, _ int64) (*clientv3.LeaseGrantResponse, error) {
	return &clientv3.LeaseGrantResponse{ID: 1}, e.respond(ctx, e.delay)
}

func (e *slowEtcd) KeepAliveOnce(ctx context.Context, _ clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	sent := time.Now()
	err := e.respond(ctx, e.delay)
	if err == nil {
		e.renewals <- sent
	}
	return &clientv3.LeaseKeepAliveResponse{}, err
}

func (e *slowEtcd) Revoke(ctx context.Context, _ clientv3.LeaseID) (*clientv3.LeaseRevokeResponse, error) {
	return &clientv3.LeaseRevokeResponse{}, e.respond(ctx, 0)
}

// slowTxn succeeds, and returns the key of the node.
type slowTxn struct {
	etcd *slowEtcd
	ctx  context.Context
}

func (x *slowTxn) If(...clientv3.Cmp) clientv3.Txn  { return x }
func (x *slowTxn) Then(...clientv3.Op) clientv3.Txn { return x }
func (x *slowTxn) Else(...clientv3.Op) clientv3.Txn { return x }
func (x *slowTxn) Commit() (*clientv3.TxnResponse, error) {
	nodeKey := &etcdserverpb.RangeResponse{Kvs: []*mvccpb.KeyValue{{Key: []byte(slowNodeFence.Key), CreateRevision: slowNodeFence.CreateRevision}}}
	return &clientv3.TxnResponse{
		Header: &etcdserverpb.ResponseHeader{Revision: 7}, Succeeded: true,
		Responses: []*etcdserverpb.ResponseOp{
			{Response: &etcdserverpb.ResponseOp_ResponseRange{ResponseRange: nodeKey}},
			{Response: &etcdserverpb.ResponseOp_ResponseRange{ResponseRange: &etcdserverpb.RangeResponse{}}},
		},
	}, x.etcd.respond(x.ctx, 0)
}

// TestTrustWindow has etcd stop responding: fence and leadership end exactly four fifths
// of the TTL after the last successful renewal was sent. They do not end before.
func TestTrustWindow(t *testing.T) {
	t.Parallel()
	const ttl, trustWindow = 10 * time.Second, 8 * time.Second
	for name, delay := range map[string]time.Duration{"fast responses": 0, "slow responses": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				etcd := &slowEtcd{delay: delay, stopped: make(chan struct{}), renewals: make(chan time.Time, 10_000)}
				joining := time.Now()
				m, err := etcdmembers.New(etcd.client(), etcdmembers.Options{LeaseTTL: ttl}).Join(t.Context(), node.Node{Region: "eu", Name: "n1", Identity: "x"})
				require.NoError(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				endTimes := make(chan time.Time, 1)
				go func() {
					_ = m.Lead(ctx, "eu", func(ctx context.Context, _ node.Fence) error {
						<-ctx.Done()
						endTimes <- time.Now()
						cancel()
						return nil
					})
				}()
				requirePresentUntil := func(end time.Time) {
					t.Helper()
					time.Sleep(time.Until(end) - time.Nanosecond) // of the fake clock: no real time passes
					fence, present := m.Fence()
					require.True(t, present)
					require.Equal(t, slowNodeFence, fence)
				}
				requirePresentUntil(joining.Add(time.Hour))
				require.Empty(t, endTimes)
				close(etcd.stopped)
				synctest.Wait()
				var last time.Time
				for len(etcd.renewals) > 0 {
					last = <-etcd.renewals
				}
				require.WithinDuration(t, joining.Add(time.Hour), last, ttl/2)
				requirePresentUntil(last.Add(trustWindow))
				require.Empty(t, endTimes)
				time.Sleep(time.Nanosecond)
				_, present := m.Fence()
				require.False(t, present, "the fence outlives the trust window")
				synctest.Wait()
				require.Len(t, endTimes, 1, "the leadership outlives the trust window")
				require.Equal(t, last.Add(trustWindow), <-endTimes)
				require.NoError(t, m.Close())
			})
		})
	}
}

// TestHungMember has one of two or three members never respond: the node joins, and keeps
// presence and leadership.
func TestHungMember(t *testing.T) {
	t.Parallel()
	for name, etcd := range map[string]*slowEtcd{
		"of two": {members: 2}, "of three": {members: 3}, "of three, far away": {members: 3, delay: 600 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				etcd.stopped, etcd.renewals = make(chan struct{}), make(chan time.Time, 10_000)
				m, err := etcdmembers.New(etcd.client(), etcdmembers.Options{LeaseTTL: 10 * time.Second}).Join(t.Context(), node.Node{Region: "eu", Name: "n1", Identity: "x"})
				require.NoError(t, err)
				led := make(chan struct{}, 10_000)
				ctx, cancel := context.WithCancel(t.Context())
				var leading sync.WaitGroup
				leading.Go(func() {
					_ = m.Lead(ctx, "eu", func(ctx context.Context, _ node.Fence) error {
						led <- struct{}{}
						<-ctx.Done()
						return nil
					})
				})
				for range 3600 {
					time.Sleep(time.Second) // of the fake clock: no real time passes
					_, present := m.Fence()
					require.True(t, present)
				}
				require.Len(t, led, 1, "the leadership was lost")
				require.Less(t, etcd.requests.Load(), int64(3*2*3600*10/25), "more than three attempts per request")
				cancel()
				leading.Wait()
				require.NoError(t, m.Close())
			})
		})
	}
}
