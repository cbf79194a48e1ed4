package etcdmembers_test

import (
	"context"
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

// slowEtcd answers what one membership asks, each renewal after the delay, and
// from silence on nothing more. It is for a bubble of fake time, where a real etcd
// cannot be.
type slowEtcd struct {
	clientv3.KV
	clientv3.Lease
	delay    time.Duration
	silence  chan struct{} // closed when it begins
	renewals chan time.Time
}

func (e *slowEtcd) client() *clientv3.Client {
	return &clientv3.Client{KV: e, Lease: e, Watcher: uselessWatcher{}}
}

// answer waits like a request does, and reports whether it is answered.
func (e *slowEtcd) answer(ctx context.Context, delay time.Duration) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-e.silence:
		<-ctx.Done()
		return ctx.Err()
	default:
		return nil
	}
}

var slowPresence = node.Fence{Key: "/nodes/eu/n1", CreateRevision: 7}

func (e *slowEtcd) Get(ctx context.Context, key string, _ ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	resp := &clientv3.GetResponse{Header: &etcdserverpb.ResponseHeader{Revision: 7}}
	if key == "/leaders/eu" {
		resp.Kvs = []*mvccpb.KeyValue{{Key: []byte(key), CreateRevision: 7}}
	}
	return resp, e.answer(ctx, 0)
}

func (e *slowEtcd) Txn(ctx context.Context) clientv3.Txn { return &slowTxn{e, ctx} }

func (e *slowEtcd) Grant(ctx context.Context, _ int64) (*clientv3.LeaseGrantResponse, error) {
	return &clientv3.LeaseGrantResponse{ID: 1}, e.answer(ctx, e.delay)
}

func (e *slowEtcd) KeepAliveOnce(ctx context.Context, _ clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	sent := time.Now()
	err := e.answer(ctx, e.delay)
	if err == nil {
		e.renewals <- sent
	}
	return &clientv3.LeaseKeepAliveResponse{}, err
}

func (e *slowEtcd) Revoke(ctx context.Context, _ clientv3.LeaseID) (*clientv3.LeaseRevokeResponse, error) {
	return &clientv3.LeaseRevokeResponse{}, e.answer(ctx, 0)
}

// slowTxn succeeds, and shows the presence where it is asked for.
type slowTxn struct {
	etcd *slowEtcd
	ctx  context.Context
}

func (x *slowTxn) If(...clientv3.Cmp) clientv3.Txn  { return x }
func (x *slowTxn) Then(...clientv3.Op) clientv3.Txn { return x }
func (x *slowTxn) Else(...clientv3.Op) clientv3.Txn { return x }
func (x *slowTxn) Commit() (*clientv3.TxnResponse, error) {
	presence := &etcdserverpb.RangeResponse{Kvs: []*mvccpb.KeyValue{{Key: []byte(slowPresence.Key), CreateRevision: slowPresence.CreateRevision}}}
	return &clientv3.TxnResponse{
		Header: &etcdserverpb.ResponseHeader{Revision: 7}, Succeeded: true,
		Responses: []*etcdserverpb.ResponseOp{
			{Response: &etcdserverpb.ResponseOp_ResponseRange{ResponseRange: presence}},
			{Response: &etcdserverpb.ResponseOp_ResponseRange{ResponseRange: &etcdserverpb.RangeResponse{}}},
		},
	}, x.etcd.answer(x.ctx, 0)
}

// TestTrustEndsEarly lets etcd fall silent: fence and leadership last for four fifths of
// the TTL after the last renewal that was answered had been sent, to the nanosecond, and
// for ever while all is well.
func TestTrustEndsEarly(t *testing.T) {
	t.Parallel()
	const ttl, trust = 10 * time.Second, 8 * time.Second
	for name, delay := range map[string]time.Duration{"quick answers": 0, "slow answers": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				etcd := &slowEtcd{delay: delay, silence: make(chan struct{}), renewals: make(chan time.Time, 10_000)}
				joining := time.Now()
				m, err := etcdmembers.New(etcd.client(), etcdmembers.Options{LeaseTTL: ttl}).Join(t.Context(), node.Node{Region: "eu", Name: "n1", Identity: "x"})
				require.NoError(t, err)
				ctx, leave := context.WithCancel(t.Context())
				ended := make(chan time.Time, 1)
				go func() {
					_ = m.Lead(ctx, "eu", func(ctx context.Context, _ node.Fence) error {
						<-ctx.Done()
						ended <- time.Now()
						leave()
						return nil
					})
				}()
				presentUntil := func(at time.Time) {
					t.Helper()
					time.Sleep(time.Until(at) - time.Nanosecond) // of the bubble's clock: nobody waits
					fence, present := m.Fence()
					require.True(t, present)
					require.Equal(t, slowPresence, fence)
				}
				presentUntil(joining.Add(time.Hour))
				require.Empty(t, ended)
				close(etcd.silence)
				synctest.Wait()
				var last time.Time
				for len(etcd.renewals) > 0 {
					last = <-etcd.renewals
				}
				require.WithinDuration(t, joining.Add(time.Hour), last, ttl/2)
				presentUntil(last.Add(trust))
				require.Empty(t, ended)
				time.Sleep(time.Nanosecond)
				_, present := m.Fence()
				require.False(t, present, "the fence outlives the trust")
				synctest.Wait()
				require.Len(t, ended, 1, "the leadership outlives the trust")
				require.Equal(t, last.Add(trust), <-ended)
				require.NoError(t, m.Close())
			})
		})
	}
}
