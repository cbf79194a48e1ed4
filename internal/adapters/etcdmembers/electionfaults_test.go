package etcdmembers_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// newFaultyClient returns a client of the shared server with fault injection.
func newFaultyClient(t *testing.T) (*clientv3.Client, *faultkv.KV) {
	t.Helper()
	client := etcdtest.InProcess(t)
	return client, faultkv.Wrap(client)
}

// lostMessages are the ways to lose one message of a transaction.
var lostMessages = map[string]faultkv.Fault{"response": faultkv.LoseReply(nil), "request": faultkv.LoseRequest(nil)}

// TestCampaignRecognizesItsKey loses the request or the response of a campaign: the next
// attempt recognizes the key that the first one created.
func TestCampaignRecognizesItsKey(t *testing.T) {
	t.Parallel()
	for name, fault := range lostMessages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			client, faults := newFaultyClient(t)
			m := f.join(f.registry(client, longTTL), newNode("n1"))
			faults.OnFirstWriteTo("/leaders/", fault)
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
	faults.OnFirstWriteTo("/leaders/", func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		defer cancel()
		return faultkv.LoseReply(nil)(ctx, send)
	})
	untilCanceled := func(ctx context.Context, _ node.Fence) error { // on a busy machine a hedged request finds the key
		<-ctx.Done()
		return ctx.Err()
	}
	require.ErrorIs(t, m.Lead(ctx, "eu", untilCanceled), context.Canceled)
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
		faults.OnWriteTo("/leaders/", faultkv.LoseRequest(nil))
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	_, found := f.leader("eu")
	require.True(t, found, "the resignation was not lost")
	session := fenceOf(t, m)
	faults.OnWrite(nil)
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
	for name, fault := range lostMessages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := etcdtest.Start(t).Client()
			f := fixture{t: t, etcd: client, prefix: etcdtest.Prefix(t)}
			faults := faultkv.Wrap(client)
			faults.OnFirstWriteTo("/nodes/", fault)
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
	faults.OnFirstWriteTo("/leaders/", func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		f.deleteRaw("/nodes/eu/n1")
		return send(ctx)
	})
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
