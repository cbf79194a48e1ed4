package etcdmembers_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// errLost is the error of the etcd client for a connection that broke during a request.
var errLost = status.Error(codes.Unavailable, "connection reset by the test")

// fault handles a transaction: it may call send or not, and returns a response.
type fault func(ctx context.Context, send func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error)

// faultyKV injects a fault into each transaction that may write a key that contains key.
type faultyKV struct {
	clientv3.KV
	mu    sync.Mutex
	key   string
	fault fault // nil injects nothing
}

// newFaultyClient returns a client of the shared server with fault injection.
func newFaultyClient(t *testing.T) (*clientv3.Client, *faultyKV) {
	t.Helper()
	client := etcdtest.InProcess(t)
	return client, wrapKV(client)
}

// wrapKV adds fault injection to the client.
func wrapKV(client *clientv3.Client) *faultyKV {
	f := &faultyKV{KV: client.KV}
	client.KV = f
	return f
}

// inject sets the fault of transactions on keys that contain the text.
func (f *faultyKV) inject(key string, fault fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key, f.fault = key, fault
}

func (f *faultyKV) Txn(ctx context.Context) clientv3.Txn {
	return &faultyTxn{Txn: f.KV.Txn(ctx), f: f, ctx: ctx}
}

type faultyTxn struct {
	clientv3.Txn
	f    *faultyKV
	ctx  context.Context
	keys string
}

func (x *faultyTxn) If(compares ...clientv3.Cmp) clientv3.Txn {
	x.Txn = x.Txn.If(compares...)
	return x
}

func (x *faultyTxn) Then(ops ...clientv3.Op) clientv3.Txn {
	for _, op := range ops {
		if !op.IsGet() {
			x.keys += string(op.KeyBytes()) + "\n"
		}
	}
	x.Txn = x.Txn.Then(ops...)
	return x
}

func (x *faultyTxn) Else(ops ...clientv3.Op) clientv3.Txn {
	x.Txn = x.Txn.Else(ops...)
	return x
}

func (x *faultyTxn) Commit() (*clientv3.TxnResponse, error) {
	x.f.mu.Lock()
	fault := x.f.fault
	if !strings.Contains(x.keys, x.f.key) {
		fault = nil
	}
	x.f.mu.Unlock()
	if fault == nil {
		return x.Txn.Commit()
	}
	return fault(x.ctx, x.Txn.Commit)
}

// once injects the fault into the first transaction only.
func once(f fault) fault {
	var first sync.Once
	return func(ctx context.Context, send func() (*clientv3.TxnResponse, error)) (resp *clientv3.TxnResponse, err error) {
		injected := false
		first.Do(func() {
			injected = true
			resp, err = f(ctx, send)
		})
		if injected {
			return resp, err
		}
		return send()
	}
}

// loseResponse sends the transaction and loses its response.
func loseResponse(_ context.Context, send func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error) {
	if _, err := send(); err != nil {
		return nil, err
	}
	return nil, errLost
}

// loseRequest does not send the transaction.
func loseRequest(context.Context, func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error) {
	return nil, errLost
}

// TestCampaignRecognizesItsKey loses the request or the response of a campaign: the next
// attempt recognizes the key that the first one created.
func TestCampaignRecognizesItsKey(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fault{"response": loseResponse, "request": loseRequest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			client, faults := newFaultyClient(t)
			m := f.join(f.registry(client, longTTL), newNode("n1"))
			faults.inject("/leaders/", once(fault))
			fence := receive(t, startCampaign(t, m, "eu").started, "a leadership")
			leader, found := f.leader("eu")
			require.True(t, found)
			require.Equal(t, fence, leader.Fence)
		})
	}
}

// TestUnclaimedLeaderKeyIsDeleted ends the campaign as its response is lost, so that no
// candidacy claims the key that it created. The lease continues, and the key is deleted.
func TestUnclaimedLeaderKeyIsDeleted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	client, faults := newFaultyClient(t)
	m := f.join(f.registry(client, shortTTL), newNode("n1"))
	ctx, cancel := context.WithCancel(t.Context())
	faults.inject("/leaders/", once(func(ctx context.Context, send func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error) {
		defer cancel()
		return loseResponse(ctx, send)
	}))
	require.ErrorIs(t, m.Lead(ctx, "eu", nil), context.Canceled)
	receive(t, startCampaign(t, f.join(f.registry(nil, longTTL), newNode("n2")), "eu").started, "another leader")
	require.ElementsMatch(t, []string{"eu/n1", "eu/n2"}, f.names(), "both nodes remain present")
}

// TestLostResignation loses every request of a resignation: the remaining key is deleted
// by the next renewal.
func TestLostResignation(t *testing.T) {
	t.Parallel()
	skipExpiry(t)
	f := newFixture(t)
	client, faults := newFaultyClient(t)
	m := f.join(f.registry(client, 4*shortTTL), newNode("n1"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := m.Lead(ctx, "eu", func(context.Context, node.Fence) error {
		faults.inject("/leaders/", loseRequest)
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	_, found := f.leader("eu")
	require.True(t, found, "the resignation was not lost")
	session := fenceOf(t, m)
	faults.inject("", nil)
	second := startCampaign(t, f.join(f.registry(nil, longTTL), newNode("n2")), "eu")
	fence := receive(t, second.started, "a successor")
	require.Equal(t, session, fenceOf(t, m), "the session must continue")
	repeated := startCampaign(t, m, "eu")
	second.cancel()
	require.Greater(t, receive(t, repeated.started, "a second leadership of the first node").CreateRevision, fence.CreateRevision)
}

// TestLostJoin loses the request or the response of a join: the node joins once, and no
// other lease remains.
func TestLostJoin(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fault{"response": loseResponse, "request": loseRequest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := etcdtest.Start(t).Client()
			f := fixture{t: t, etcd: client, prefix: etcdtest.Prefix(t)}
			faults := wrapKV(client)
			faults.inject("/nodes/", once(fault))
			m := f.join(f.registry(client, longTTL), newNode("n1"))
			_, _, created := f.readRaw("/nodes/eu/n1")
			require.Equal(t, created, fenceOf(t, m).CreateRevision)
			leases, err := client.Leases(t.Context())
			require.NoError(t, err)
			require.Len(t, leases.Leases, 1)
		})
	}
}

// TestCampaignRequiresTheNodeKey deletes the key of the node before the transaction of a
// campaign: the campaign fails, and the next leadership has a new session.
func TestCampaignRequiresTheNodeKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	client, faults := newFaultyClient(t)
	m := f.join(f.registry(client, longTTL), newNode("n1"))
	old := fenceOf(t, m)
	faults.inject("/leaders/", once(func(_ context.Context, send func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error) {
		f.deleteRaw("/nodes/eu/n1")
		return send()
	}))
	fence := receive(t, startCampaign(t, m, "eu").started, "a leadership")
	require.Greater(t, fence.CreateRevision, waitForNewSession(t, m, old).CreateRevision)
}

// TestRenewalsKeepOtherLeaders renews one node several times while another one leads.
func TestRenewalsKeepOtherLeaders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := startCampaign(t, f.join(f.registry(nil, longTTL), newNode("n1")), "eu")
	receive(t, c.started, "a leadership")
	client, renewed := etcdtest.InProcess(t), make(chan struct{}, 10_000)
	client.Lease = countedLease{client.Lease, renewed}
	f.join(f.registry(client, shortTTL), newNode("n2"))
	for range 3 {
		receive(t, renewed, "a renewal")
	}
	_, found := f.leader("eu")
	require.True(t, found)
	require.Empty(t, c.causes)
}
