package regions_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/network"
	"galaxy/rtmanager/internal/testkit/regions"
)

// fault is one fault of the cluster, which begins with a leader in EU.
type fault struct {
	name     string
	duration time.Duration
	begin    func()
	repair   func()
}

// shortFaults lists the faults that every run of the tests injects.
func (f *faultFixture) shortFaults() []fault {
	return []fault{
		{"etcd leader frozen", 5 * time.Second, f.suspend(regions.EU), f.resume(regions.EU)},
		{"region ap cut off", 6 * time.Second, f.isolate(regions.AP), f.cluster.Network.Repair},
	}
}

// allFaults lists all faults.
func (f *faultFixture) allFaults() []fault {
	return []fault{
		{"etcd follower killed", 20 * time.Second, f.kill(regions.US), f.restart(regions.US)},
		{"etcd members restarted one by one", time.Second, f.restartEachMember, func() {}},
		{"daemon us killed", 30 * time.Second, f.daemons[regions.US].Kill, f.daemons[regions.US].Start},
		{"etcd leader frozen", 20 * time.Second, f.suspend(regions.EU), f.resume(regions.EU)},
		{"region ap cut off", time.Minute, f.isolate(regions.AP), f.cluster.Network.Repair},
		{"member ap cut off from its peers only", time.Minute, f.isolate(regions.AP, regions.Peers), f.cluster.Network.Repair},
		{"what ap sends is lost", 40 * time.Second, func() { f.cluster.Network.BlockFrom(regions.AP) }, f.cluster.Network.Repair},
		{"the leader's region eu cut off", time.Minute, f.isolate(regions.EU), f.cluster.Network.Repair},
		{"majority lost: members us and ap killed", 30 * time.Second, f.kill(regions.US, regions.AP), f.restart(regions.US, regions.AP)},
	}
}

func (f *faultFixture) kill(names ...string) func() {
	return func() {
		for _, region := range names {
			f.cluster.KillMember(region)
		}
	}
}

func (f *faultFixture) restart(names ...string) func() {
	return func() {
		for _, region := range names {
			f.cluster.RestartMember(region)
		}
	}
}

func (f *faultFixture) suspend(region string) func() {
	return func() { f.cluster.SuspendMember(region) }
}

func (f *faultFixture) resume(region string) func() {
	return func() { f.cluster.ResumeMember(region) }
}

func (f *faultFixture) isolate(region string, kinds ...network.Traffic) func() {
	return func() { f.cluster.Network.Isolate(region, kinds...) }
}

// restartEachMember restarts one member after the other. Each of them serves linearizable
// reads before the next one is killed.
func (f *faultFixture) restartEachMember() {
	for _, region := range regions.Names() {
		f.cluster.KillMember(region)
		f.cluster.RestartMember(region)
		client := f.cluster.Client(region)
		require.Eventually(f.t, func() bool {
			ctx, cancel := context.WithTimeout(f.t.Context(), 5*time.Second)
			defer cancel()
			_, err := client.Get(ctx, "key")
			return err == nil
		}, recoveryTimeout, pause, "member %s did not recover", region)
	}
}

// startFaultFixture starts a cluster with a daemon in each region, and a record for each region.
func startFaultFixture(t *testing.T) *faultFixture {
	t.Helper()
	cluster, daemons := regions.Start(t, regions.Far), map[string]*regions.Daemon{}
	for _, region := range regions.Names() {
		daemons[region] = cluster.StartDaemon(region, region+"-1")
	}
	return newFaultFixture(t, cluster, daemons)
}

// newFaultFixture creates a record for each region.
func newFaultFixture(t *testing.T, cluster *regions.Cluster, daemons map[string]*regions.Daemon) *faultFixture {
	t.Helper()
	f := &faultFixture{
		t: t, cluster: cluster, daemons: daemons, stats: newFaultStats(),
		acked: &ackedWrites{revisions: map[string][]int64{}},
	}
	for _, region := range regions.Names() {
		client := &faultClient{t: t, region: region, client: f.daemons[region].StableClient(), acked: f.acked, stats: f.stats}
		resp, ok := client.do(t.Context(), kindWrite, "PUT", "/v1/runtimes/"+recordOf(region), stoppedRecord(recordOf(region)))
		require.True(t, ok, "put from %s: %s", region, resp.Body)
		f.position = max(f.position, client.revisionOf(resp))
		f.clients = append(f.clients, client)
	}
	return f
}
