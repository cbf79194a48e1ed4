package etcdconn_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/etcdconn"
	"galaxy/rtmanager/internal/testkit/regions"
)

// timeout is far longer than any step takes.
const timeout = time.Minute

// site is a pool in the region US of a cluster of three regions.
type site struct {
	t       *testing.T
	cluster *regions.Cluster
	pool    *etcdconn.Pool
	client  *etcd.Client
	writes  int
	seen    chan int // numbers of writes, in the order of the watch
}

func newSite(t *testing.T) *site {
	t.Helper()
	cluster := regions.Start(t, regions.RoundTrips{EUToUS: 40 * time.Millisecond, EUToAP: 60 * time.Millisecond, USToAP: 80 * time.Millisecond})
	cluster.Network.Register(regions.US, os.Getpid())
	pool, err := etcdconn.New(t.Context(), etcdconn.Options{
		Endpoints: cluster.Endpoints(), ProbeKey: "/", StableTime: time.Second, ProbeInterval: 200 * time.Millisecond,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	s := &site{t: t, cluster: cluster, pool: pool, seen: make(chan int, 10_000)}
	s.client = etcd.NewClient(pool.Client(), etcd.Options{CallTimeout: 3 * time.Second, OperationTimeout: timeout})
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	require.NoError(t, pool.WaitHealthy(ctx))
	s.startWatch()
	return s
}

// startWatch delivers the number of each write to seen. It reopens the watch after the last
// revision, as the store does.
func (s *site) startWatch() {
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	s.t.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		for revision := int64(1); ctx.Err() == nil; {
			for resp := range s.pool.Client().Watch(ctx, "/write", clientv3.WithRev(revision)) {
				for _, event := range resp.Events {
					var n int
					_, _ = fmt.Sscan(string(event.Kv.GetValue()), &n)
					s.seen <- n
					revision = event.Kv.GetModRevision() + 1
				}
			}
		}
	}()
}

// write stores the next number, with retries, and waits until the watch has delivered it.
func (s *site) write() {
	s.t.Helper()
	s.writes++
	_, err := etcd.RetryRead(s.t.Context(), s.client, func(ctx context.Context) (*clientv3.PutResponse, error) {
		return s.pool.Client().Put(ctx, "/write", fmt.Sprint(s.writes))
	})
	require.NoError(s.t, err)
	deadline := time.After(timeout)
	for {
		select {
		case n := <-s.seen:
			if n == s.writes {
				return
			}
		case <-deadline:
			require.Fail(s.t, "the watch did not deliver a write", "write %d, endpoints %+v", s.writes, s.pool.Snapshot())
		}
	}
}

// status returns the status of the endpoint in the region.
func (s *site) status(region string) etcdconn.EndpointStatus {
	for i, name := range regions.Names() {
		if name == region {
			return s.pool.Snapshot()[i]
		}
	}
	return etcdconn.EndpointStatus{}
}

// requireSelected waits until requests go to the region.
func (s *site) requireSelected(region string) {
	s.t.Helper()
	require.EventuallyWithT(s.t, func(c *assert.CollectT) {
		require.True(c, s.status(region).Selected, "%s is not selected: %+v", region, s.pool.Snapshot())
		require.Equal(c, etcdconn.StateHealthy, s.status(region).State)
	}, timeout, 20*time.Millisecond)
}

// Each fault hits the nearest member. Requests and the watch continue at the second nearest,
// and return when the fault has ended.
func TestRequestsLeaveAFaultyMember(t *testing.T) {
	if testing.Short() {
		t.Skip("runs etcd in three regions")
	}
	s := newSite(t)
	s.requireSelected(regions.US)
	s.write()
	faults := []struct {
		name       string
		start, end func()
	}{
		{"hung", func() { s.cluster.SuspendMember(regions.US) }, func() { s.cluster.ResumeMember(regions.US) }},
		{"without peers", func() { s.cluster.Network.Isolate(regions.US, regions.Peers) }, s.cluster.Network.Repair},
		{"its responses to peers are lost", func() { s.cluster.Network.BlockFrom(regions.US, regions.Peers) }, s.cluster.Network.Repair},
		{"dead", func() { s.cluster.KillMember(regions.US) }, func() { s.cluster.RestartMember(regions.US) }},
	}
	for _, fault := range faults {
		t.Log(fault.name)
		fault.start()
		for range 5 {
			s.write()
		}
		s.requireSelected(regions.EU)
		require.NotEmpty(t, s.status(regions.US).Reason, fault.name)
		require.NoError(t, s.pool.Health(), "the other members serve requests")
		fault.end()
		s.requireSelected(regions.US)
		s.write()
	}
}

// A read needs one round trip to the nearest member, and the member one to the leader.
func TestNearestEndpointIsSelected(t *testing.T) {
	if testing.Short() {
		t.Skip("runs etcd in three regions")
	}
	s := newSite(t)
	s.requireSelected(regions.US)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.GreaterOrEqual(c, s.status(regions.EU).RoundTrip, 40*time.Millisecond)
		require.GreaterOrEqual(c, s.status(regions.AP).RoundTrip, 80*time.Millisecond)
		require.Less(c, s.status(regions.US).RoundTrip, s.status(regions.EU).RoundTrip)
	}, timeout, 20*time.Millisecond)
	require.GreaterOrEqual(t, s.client.CallTimeout(), 3*time.Second)

	s.cluster.Network.SetRoundTrip(regions.US, regions.AP, 600*time.Millisecond)
	require.Eventually(t, func() bool { return s.client.CallTimeout() > 4*time.Second }, timeout, 20*time.Millisecond,
		"the timeout grows with the round trip")
}

// While no endpoint serves requests, a request ends at once with the reason. A start waits,
// and requests and watches continue soon after the outage.
func TestReconnectsAfterAnOutage(t *testing.T) {
	if testing.Short() {
		t.Skip("runs etcd in three regions")
	}
	s := newSite(t)
	s.write()
	for _, region := range regions.Names() {
		s.cluster.KillMember(region)
	}
	require.Eventually(t, func() bool { return s.pool.Health() != nil }, timeout, 20*time.Millisecond)
	_, err := s.pool.Client().Put(t.Context(), "/write", "0")
	require.ErrorIs(t, err, etcd.ErrNotSent)
	require.ErrorContains(t, err, "http://127.0.0.1:", "the error names the endpoint")

	started, err := etcdconn.New(t.Context(), etcdconn.Options{Endpoints: s.cluster.Endpoints(), ProbeKey: "/"})
	require.NoError(t, err)
	defer started.Close()
	shortCtx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.ErrorContains(t, started.WaitHealthy(shortCtx), "unreachable")
	for _, region := range regions.Names() {
		s.cluster.RestartMember(region)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	require.NoError(t, started.WaitHealthy(ctx))
	s.write()
}
