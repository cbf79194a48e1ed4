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

// errLost is what the etcd client says when a connection breaks under a request.
var errLost = status.Error(codes.Unavailable, "connection reset by the test")

// faulty meets the transactions of a client that could write a key with fate.
type faulty struct {
	clientv3.KV
	mu   sync.Mutex
	key  string
	fate func(ctx context.Context, send func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error)
}

// newFaulty returns a client of the shared server, with faults to be injected.
func newFaulty(t *testing.T) (*clientv3.Client, *faulty) {
	t.Helper()
	client := etcdtest.InProcess(t)
	return client, injectInto(client)
}

func injectInto(client *clientv3.Client) *faulty {
	f := &faulty{KV: client.KV}
	client.KV = f
	return f
}

// on sets what becomes of transactions on keys that hold the text; nil is nothing.
func (f *faulty) on(key string, fate func(ctx context.Context, send func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key, f.fate = key, fate
}

func (f *faulty) Txn(ctx context.Context) clientv3.Txn {
	return &faultyTxn{Txn: f.KV.Txn(ctx), f: f, ctx: ctx}
}

type faultyTxn struct {
	clientv3.Txn
	f    *faulty
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
	fate := x.f.fate
	if !strings.Contains(x.keys, x.f.key) {
		fate = nil
	}
	x.f.mu.Unlock()
	if fate == nil {
		return x.Txn.Commit()
	}
	return fate(x.ctx, x.Txn.Commit)
}

// once meets the first transaction with fate and the others with none.
func once(fate func(ctx context.Context, send func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error)) func(context.Context, func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error) {
	var first sync.Once
	return func(ctx context.Context, send func() (*clientv3.TxnResponse, error)) (resp *clientv3.TxnResponse, err error) {
		met := false
		first.Do(func() {
			met = true
			resp, err = fate(ctx, send)
		})
		if met {
			return resp, err
		}
		return send()
	}
}

// lostReply loses the answer to what was done.
func lostReply(_ context.Context, send func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error) {
	if _, err := send(); err != nil {
		return nil, err
	}
	return nil, errLost
}

// lostRequest never lets the request through.
func lostRequest(context.Context, func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error) {
	return nil, errLost
}

// TestLostAnswersOfACampaign loses the answer of the campaign: the next try knows its own.
func TestLostAnswersOfACampaign(t *testing.T) {
	t.Parallel()
	for name, fate := range map[string]func(context.Context, func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error){
		"reply": lostReply, "request": lostRequest,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			client, faults := newFaulty(t)
			m := r.join(r.registry(client, longTTL), self("n1"))
			faults.on("/leaders/", once(fate))
			fence := receive(t, lead(t, m, "eu").begun, "a leadership")
			leader, found := r.leader("eu")
			require.True(t, found)
			require.Equal(t, fence, leader.Fence)
		})
	}
}

// TestCampaignThatIsLeftInDoubt ends the campaign as its answer is lost, so that
// nobody stands for the key that it made. The lease goes on, and the key does not.
func TestCampaignThatIsLeftInDoubt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, faults := newFaulty(t)
	m := r.join(r.registry(client, shortTTL), self("n1"))
	ctx, leave := context.WithCancel(t.Context())
	faults.on("/leaders/", once(func(ctx context.Context, send func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error) {
		defer leave()
		return lostReply(ctx, send)
	}))
	require.ErrorIs(t, m.Lead(ctx, "eu", nil), context.Canceled)
	receive(t, lead(t, r.join(r.registry(nil, longTTL), self("n2")), "eu").begun, "another leader")
	require.ElementsMatch(t, []string{"eu/n1", "eu/n2"}, r.names(), "the presence is not touched")
}

// TestResignationThatIsLost never lets a resignation through in time: the key that is
// left is taken away later.
func TestResignationThatIsLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, faults := newFaulty(t)
	m := r.join(r.registry(client, shortTTL), self("n1"))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	err := m.Lead(ctx, "eu", func(context.Context, node.Fence) error {
		faults.on("/leaders/", lostRequest)
		leave()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	_, found := r.leader("eu")
	require.True(t, found, "the resignation was let through")
	presence := fenceOf(t, m)
	faults.on("", nil)
	second := lead(t, r.join(r.registry(nil, longTTL), self("n2")), "eu")
	fence := receive(t, second.begun, "a successor")
	require.Equal(t, presence, fenceOf(t, m), "the presence goes on meanwhile")
	again := lead(t, m, "eu")
	second.leave()
	require.Greater(t, receive(t, again.begun, "the first one again").CreateRevision, fence.CreateRevision)
}

// TestLostAnswersOfAJoin loses the answer of the creation, or the request: one
// presence comes of it, and no lease is left over.
func TestLostAnswersOfAJoin(t *testing.T) {
	t.Parallel()
	for name, fate := range map[string]func(context.Context, func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error){
		"reply": lostReply, "request": lostRequest,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := etcdtest.Start(t).Client()
			r := rig{t: t, etcd: client, prefix: etcdtest.Prefix(t)}
			faults := injectInto(client)
			faults.on("/nodes/", once(fate))
			m := r.join(r.registry(client, longTTL), self("n1"))
			_, _, created := r.key("/nodes/eu/n1")
			require.Equal(t, created, fenceOf(t, m).CreateRevision)
			leases, err := client.Leases(t.Context())
			require.NoError(t, err)
			require.Len(t, leases.Leases, 1)
		})
	}
}

// TestPresenceGoneUnderACampaign takes the presence away before the campaign is
// decided: nobody leads by a lease whose presence is not there.
func TestPresenceGoneUnderACampaign(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, faults := newFaulty(t)
	m := r.join(r.registry(client, longTTL), self("n1"))
	old := fenceOf(t, m)
	faults.on("/leaders/", once(func(_ context.Context, send func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error) {
		r.uproot("/nodes/eu/n1")
		return send()
	}))
	l := lead(t, m, "eu")
	fence := receive(t, l.begun, "a leadership")
	require.Greater(t, fence.CreateRevision, awaitAnother(t, m, old).CreateRevision)
}

// TestRenewalsLeaveOtherLeadersAlone renews one node several times while another leads.
func TestRenewalsLeaveOtherLeadersAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	l := lead(t, r.join(r.registry(nil, longTTL), self("n1")), "eu")
	receive(t, l.begun, "a leadership")
	client, renewed := etcdtest.InProcess(t), make(chan struct{}, 10_000)
	client.Lease = countedLease{client.Lease, renewed}
	r.join(r.registry(client, shortTTL), self("n2"))
	for range 3 {
		receive(t, renewed, "a renewal")
	}
	_, found := r.leader("eu")
	require.True(t, found)
	require.Empty(t, l.ended)
}
