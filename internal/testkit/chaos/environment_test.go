package chaos_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/chaos/traffic"
	"galaxy/rtmanager/internal/testkit/regions"
)

// layouts are the clusters that runs can be on.
var layouts = map[string]func(t *testing.T) (*regions.Cluster, map[string]*regions.Daemon){
	"external": func(t *testing.T) (*regions.Cluster, map[string]*regions.Daemon) {
		cluster, daemons := regions.Start(t, near), map[string]*regions.Daemon{}
		for _, region := range regions.Names() {
			daemons[region] = cluster.StartDaemon(region, region+"-1")
		}
		return cluster, daemons
	},
	"embedded": func(t *testing.T) (*regions.Cluster, map[string]*regions.Daemon) {
		cluster, daemons := regions.StartEmbedded(t, near), map[string]*regions.Daemon{}
		for _, region := range regions.Names() {
			daemons[region] = cluster.Daemon(region)
		}
		return cluster, daemons
	},
}

// near are delays as between the regions of one continent, so that a short run makes many calls.
var near = regions.RoundTrips{EUToUS: 8e6, EUToAP: 15e6, USToAP: 20e6}

// newEnvironment starts a cluster of the layout, with a daemon in each region and a store in this process.
func newEnvironment(t *testing.T, layout string) chaos.Environment {
	t.Helper()
	cluster, daemons := layouts[layout](t)
	env := chaos.Environment{
		Layout: layout, Etcd: newClient(t, cluster.Endpoints()), Leader: cluster.Leader, Faults: faultsOf(t, cluster, daemons, layout),
		Stores: []traffic.Store{openStore(t, cluster), openStore(t, cluster)},
	}
	byNode := map[string]*regions.Daemon{}
	for _, region := range regions.Names() {
		d := traffic.Daemon{Region: region, Node: region + "-1", URL: daemons[region].StableClient().URL()}
		env.Daemons = append(env.Daemons, d)
		byNode[d.Name()] = daemons[region]
	}
	env.Containers = func(node string) []recording.Container {
		alive := []recording.Container{}
		for _, c := range byNode[node].Containers() {
			alive = append(alive, recording.Container{ID: c.ID, Game: c.Game, PID: c.PID})
		}
		return alive
	}
	return env
}

// openStore opens a store in this process, some of whose requests are lost.
func openStore(t *testing.T, cluster *regions.Cluster) *etcdstore.Store {
	t.Helper()
	client := newClient(t, cluster.Endpoints())
	faults := injectRequestFaults(client)
	t.Cleanup(faults.late.Wait)
	store, err := etcdstore.Open(t.Context(), client, etcdstore.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func newClient(t *testing.T, endpoints []string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop()})
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
