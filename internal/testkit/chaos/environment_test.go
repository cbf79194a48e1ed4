package chaos_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/chaos/traffic"
	"galaxy/rtmanager/internal/testkit/network"
	"galaxy/rtmanager/internal/testkit/operator"
	"galaxy/rtmanager/internal/testkit/regions"
	"galaxy/rtmanager/internal/wait"
)

// The layouts of a cluster.
const (
	external = "external" // etcd members that are processes of their own
	embedded = "embedded" // members in the daemons
	docker   = "docker"   // as external, with the Docker Engine instead of local processes
	secured  = "secured"  // as external, and etcd authenticates requests
	hosts    = "hosts"    // as external, with each process in a network namespace
)

// layouts returns the layouts that long tests change between, as far as this machine allows.
func layouts(ctx context.Context) []string {
	possible := []string{external, embedded, secured}
	if hasDocker(ctx) {
		possible = append(possible, docker)
	}
	if hasNamespaces() {
		possible = append(possible, hosts)
	}
	return possible
}

// testCluster is a cluster with a daemon in each region.
type testCluster struct {
	*regions.Cluster

	daemons map[string]*regions.Daemon // by region
	layout  string
	docker  *dockerEngine // nil with the process engine
	// passwords is that of the user of the daemons; nil if etcd does not authenticate requests.
	passwords *passwords
	disk      *operator.Disk // of the member in AP; nil if it has none of its own
	// slowDisks are those of the members, by region; none where FUSE is not available.
	slowDisks map[string]*operator.SlowDisk
	// skewedBinary is a binary whose clock can be wrong; empty for none.
	skewedBinary string
}

// Sizes of the external layout: small enough that both can be filled in a moment.
const (
	quotaBytes = 48 << 20
	diskBytes  = 384 << 20
)

// noBrake lets daemons remove any number of containers and records: a run has few games, so the share of two
// of them is large, and no operator releases the brake.
var noBrake = []string{"--brake-share", "1"}

func startCluster(t *testing.T, layout string) testCluster {
	t.Helper()
	c := testCluster{daemons: map[string]*regions.Daemon{}, layout: layout}
	if os.Getenv("RTMANAGER_CHAOS_CLOCK") != "" {
		var err error
		c.skewedBinary, err = operator.BuildSkewed(t.Context(), t.TempDir())
		require.NoError(t, err)
	}
	if layout == embedded {
		c.Cluster = regions.StartEmbedded(t, roundTrips(), noBrake...)
		for _, region := range regions.Names() {
			c.daemons[region] = c.Daemon(region)
		}
		return c
	}
	if layout == docker {
		c.docker = startDocker(t)
	}
	options := []regions.MemberOption{regions.Quota(quotaBytes)}
	for region, dir := range c.mountDisks(t) {
		options = append(options, regions.MemberIn(region, dir))
	}
	if len(c.slowDisks) > 0 {
		options = append(options, regions.Synced())
	}
	if layout == hosts {
		c.Cluster = regions.StartOnHosts(t, newBridge(t), roundTrips(), options...)
	} else {
		c.Cluster = regions.Start(t, roundTrips(), options...)
	}
	if layout == secured {
		c.passwords = c.secure(t)
	}
	for _, region := range regions.Names() {
		flags := noBrake
		if c.docker != nil {
			flags = append(c.docker.flags(region), flags...)
		}
		if c.passwords != nil {
			flags = append(c.passwords.flags(), flags...)
		}
		c.daemons[region] = c.StartDaemon(region, region+"-1", flags...)
	}
	return c
}

// roundTrips returns the delays between the regions: as within one continent, so that a short run makes many calls,
// or as between continents.
func roundTrips() regions.RoundTrips {
	if os.Getenv("RTMANAGER_CHAOS_FAR") != "" {
		return regions.Far
	}
	return regions.RoundTrips{EUToUS: 8e6, EUToAP: 15e6, USToAP: 20e6}
}

// newEnvironment starts a cluster of the layout, with a daemon in each region and a store in this process.
func newEnvironment(t *testing.T, layout string) chaos.Environment {
	t.Helper()
	cluster := startCluster(t, layout)
	env := chaos.Environment{
		Layout: layout, Etcd: newClient(t, cluster.Cluster), Leader: cluster.Leader, Faults: selectFaults(t, cluster.faults(newClient(t, cluster.Cluster))),
	}
	if layout != embedded {
		// All runs of a cluster together would reach its quota.
		env.Prepare = cluster.repairSpace
	}
	stores := []*store{openStore(t, cluster.Cluster), openStore(t, cluster.Cluster)}
	for _, s := range stores {
		env.Stores = append(env.Stores, s)
	}
	if layout != embedded && os.Getenv("RTMANAGER_CHAOS_RESTORE") != "" {
		env.Restore = cluster.restore(t.TempDir(), stores)
	}
	byNode := map[string]*regions.Daemon{}
	for _, region := range regions.Names() {
		d := traffic.Daemon{Region: region, Node: region + "-1", URL: cluster.daemons[region].StableClient().URL(), FarURL: cluster.farURL(region)}
		env.Daemons = append(env.Daemons, d)
		byNode[d.Name()] = cluster.daemons[region]
	}
	env.Image, env.PatchImage = "gameserver:1.0.0", "gameserver:1.0.1"
	if cluster.docker != nil {
		env.Image, env.PatchImage = cluster.docker.images+env.Image, cluster.docker.images+env.PatchImage
	}
	env.Containers = func(node string) []recording.Container {
		if region, name, _ := strings.Cut(node, "/"); cluster.docker != nil {
			alive, err := cluster.docker.containers(t.Context(), region, name)
			if err != nil {
				t.Logf("the containers of node %s are not observed: %v", node, err)
			}
			return alive
		}
		alive := []recording.Container{}
		for _, c := range byNode[node].Containers() {
			alive = append(alive, recording.Container{ID: c.ID, Game: c.Game, PID: c.PID})
		}
		return alive
	}
	return env
}

// farURL returns an address of the daemon of the region for clients of the next region.
func (c testCluster) farURL(region string) string {
	names := regions.Names()
	from := names[(slices.Index(names, region)+1)%len(names)]
	link := c.Network.ProxyFrom(network.API, from, region)
	link.SetTarget(strings.TrimPrefix(c.daemons[region].StableClient().URL(), "http://"))
	return link.URL()
}

// repairSpace frees the space of the members. It retries, since etcd may be electing a leader.
func (c testCluster) repairSpace(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
	defer cancel()
	for {
		err := operator.RepairSpace(ctx, c.Cluster)
		if err == nil || wait.For(ctx, 200*time.Millisecond) != nil {
			return err
		}
	}
}

func newClient(t *testing.T, cluster *regions.Cluster) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(cluster.ClientConfig(cluster.Endpoints()...))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// describe returns one line for each kind of call and outcome.
func describe(r *recording.Recording) string {
	counts, unknown := map[string]int{}, 0
	for _, call := range r.Calls {
		counts[string(call.Method)+" "+string(call.Outcome)]++
		if call.Outcome == recording.Unknown {
			unknown++
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d calls (%d of unknown outcome), %d events, %d changes of etcd, %d faults\n", len(r.Calls), unknown, len(r.Events), len(r.Changes), len(r.Faults))
	for what, count := range counts {
		fmt.Fprintf(&text, "%6d %s\n", count, what)
	}
	return text.String()
}
