package chaos_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/regions"
)

// faultsOf returns the faults of a cluster. They are injected and repaired by the goroutine of the test.
func faultsOf(t *testing.T, cluster *regions.Cluster, daemons map[string]*regions.Daemon, layout string) []chaos.Fault {
	t.Helper()
	simple := func(kind, target string, duration time.Duration, begin, end func()) chaos.Fault {
		return chaos.Fault{Kind: kind, Target: target, MaxDuration: duration, Inject: func(context.Context, *rand.Rand) (func(context.Context) error, string, error) {
			begin()
			return func(context.Context) error { end(); return nil }, "", nil
		}}
	}
	faults := etcdFaults(newClient(t, cluster.Endpoints()), cluster)
	for _, region := range regions.Names() {
		faults = append(faults,
			simple("region cut off", region, 4*time.Second, func() { cluster.Network.Isolate(region) }, cluster.Network.Repair),
			simple("member cut off from its peers", region, 4*time.Second, func() { cluster.Network.Isolate(region, regions.Peers) }, cluster.Network.Repair),
			simple("sent bytes lost", region, 4*time.Second, func() { cluster.Network.BlockFrom(region) }, cluster.Network.Repair),
			simple("etcd connections cut", region, 4*time.Second, func() { cluster.Network.Isolate(region, regions.Clients) }, cluster.Network.Repair),
			simple("member frozen", region, 5*time.Second, func() { cluster.SuspendMember(region) }, func() { cluster.ResumeMember(region) }),
			simple("leader moved", region, time.Second, func() { cluster.MoveLeader(region) }, func() {}),
		)
		if layout == "external" {
			faults = append(faults,
				simple("member killed", region, 4*time.Second, func() { cluster.KillMember(region) }, func() { cluster.RestartMember(region) }),
				simple("daemon frozen", region, 5*time.Second, daemons[region].Suspend, daemons[region].Resume),
				simple("daemon killed", region, 4*time.Second, daemons[region].Kill, daemons[region].Start),
			)
		} else {
			faults = append(faults, simple("daemon killed", region, 4*time.Second, daemons[region].Kill, daemons[region].Start))
		}
		faults = append(faults, containerFaults(region, daemons[region])...)
	}
	return faults
}
