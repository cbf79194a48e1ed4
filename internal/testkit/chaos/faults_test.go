package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/network"
	"galaxy/rtmanager/internal/testkit/regions"
)

// faultsOf returns the faults of a cluster. They are injected and repaired by the goroutine of the test.
func faultsOf(t *testing.T, cluster *regions.Cluster, daemons map[string]*regions.Daemon, layout string) []chaos.Fault {
	t.Helper()
	client := newClient(t, cluster.Endpoints())
	faults := etcdFaults(client, cluster)
	faults = append(faults, networkFaults(cluster.Network)...)
	for _, region := range regions.Names() {
		faults = append(faults,
			simpleFault("member frozen", region, 5*time.Second, func() { cluster.SuspendMember(region) }, func() { cluster.ResumeMember(region) }),
			chaos.Fault{Kind: "leader moved", Target: region, MaxDuration: time.Second, Inject: func(ctx context.Context, _ *rand.Rand) (func(context.Context) error, string, error) {
				return nil, "", moveLeader(ctx, client, cluster, region)
			}},
			simpleFault("daemon killed", region, 4*time.Second, daemons[region].Kill, daemons[region].Start),
		)
		if layout == "external" { // otherwise the member is in the daemon
			faults = append(faults,
				simpleFault("member killed", region, 4*time.Second, func() { cluster.KillMember(region) }, func() { cluster.RestartMember(region) }),
				simpleFault("daemon frozen", region, 5*time.Second, daemons[region].Suspend, daemons[region].Resume),
			)
		}
		faults = append(faults, containerFaults(region, daemons[region])...)
	}
	return faults
}

func simpleFault(kind, target string, longest time.Duration, begin, end func()) chaos.Fault {
	return chaos.Fault{Kind: kind, Target: target, MaxDuration: longest, Inject: func(context.Context, *rand.Rand) (func(context.Context) error, string, error) {
		begin()
		return func(context.Context) error { end(); return nil }, "", nil
	}}
}

// networkFaults returns the faults of the network. Each chooses its regions and its traffic. The repair of
// one ends all of them.
func networkFaults(n *network.Network) []chaos.Fault {
	fault := func(kind string, longest time.Duration, begin func(rng *rand.Rand, a, b string, traffic network.Traffic)) chaos.Fault {
		return chaos.Fault{Kind: kind, Target: "network", MaxDuration: longest, Inject: func(_ context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
			names, kinds := regions.Names(), []network.Traffic{network.Peers, network.Clients, network.API}
			rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			traffic := kinds[rng.IntN(len(kinds))]
			begin(rng, names[0], names[1], traffic)
			return func(context.Context) error { n.Repair(); return nil }, fmt.Sprintf("%s, %s, %s", names[0], names[1], traffic), nil
		}}
	}
	return []chaos.Fault{
		fault("region cut off", 4*time.Second, func(_ *rand.Rand, a, _ string, _ network.Traffic) { n.Isolate(a) }),
		fault("one traffic of a region cut off", 4*time.Second, func(_ *rand.Rand, a, _ string, traffic network.Traffic) { n.Isolate(a, traffic) }),
		fault("all that a region sends is lost", 4*time.Second, func(_ *rand.Rand, a, _ string, _ network.Traffic) { n.BlockFrom(a) }),
		fault("link cut", 4*time.Second, func(_ *rand.Rand, a, b string, _ network.Traffic) { n.Cut(a, b) }),
		fault("link cut in one direction", 4*time.Second, func(_ *rand.Rand, a, b string, _ network.Traffic) { n.Block(a, b) }),
		fault("connections reset", time.Second, func(_ *rand.Rand, a, b string, traffic network.Traffic) { n.ResetConnections(a, b, traffic) }),
		fault("responses late", 3*time.Second, func(_ *rand.Rand, a, b string, traffic network.Traffic) { n.HoldResponses(a, b, traffic) }),
		fault("connections reset after the request", 3*time.Second, func(rng *rand.Rand, a, b string, _ network.Traffic) {
			n.LoseResponses(a, b, 0.05+rng.Float64()/4, network.Clients)
		}),
		fault("loss and jitter", 4*time.Second, func(rng *rand.Rand, a, b string, _ network.Traffic) {
			quality := network.Quality{Loss: rng.Float64() / 5, Jitter: time.Duration(rng.IntN(50)) * time.Millisecond}
			n.SetQuality(a, b, quality)
			n.SetQuality(b, a, quality)
		}),
		fault("slow line", 4*time.Second, func(rng *rand.Rand, a, b string, traffic network.Traffic) {
			quality := network.Quality{Bandwidth: 2_000 << rng.IntN(6)}
			n.SetQuality(a, b, quality, traffic)
			n.SetQuality(b, a, quality, traffic)
		}),
	}
}
