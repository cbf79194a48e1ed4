package regions

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/testkit/netns"
	"galaxy/rtmanager/internal/testkit/network"
)

// The regions of a Cluster. The leader begins in EU.
const (
	EU = "eu"
	US = "us"
	AP = "ap"
)

// The kinds of traffic of a Cluster, for the faults of its network.
const (
	Peers   = network.Peers
	Clients = network.Clients
	API     = network.API
)

// Names lists the regions of a Cluster.
func Names() []string { return []string{EU, US, AP} }

// RoundTrips are the round trips between the regions of a Cluster.
type RoundTrips struct{ EUToUS, EUToAP, USToAP time.Duration }

// Far are round trips between continents.
var Far = RoundTrips{EUToUS: 80 * time.Millisecond, EUToAP: 150 * time.Millisecond, USToAP: 200 * time.Millisecond}

// Cluster is an etcd cluster with one member in each region. The methods that return an error are
// safe for concurrent use if they concern different members; the others fail the test and so
// must be called by its goroutine.
type Cluster struct {
	Network *network.Network

	tb testing.TB
	// bridge connects the hosts of the processes; nil if all are on this machine. hosts are by the name of their
	// process.
	bridge  *netns.Bridge
	hosts   map[string]*netns.Host
	servers map[string]server
	peers   map[string]*network.Proxy
	clients map[string]*network.Proxy
	// daemons are those with embedded members.
	daemons map[string]*Daemon
	// user and password are those of the administrator; empty without authentication.
	user, password string
}

func newCluster(tb testing.TB, bridge *netns.Bridge) *Cluster {
	addr := loopback
	if bridge != nil {
		addr = bridge.Addr()
	}
	c := &Cluster{
		Network: network.NewAt(tb, addr), tb: tb, bridge: bridge, hosts: map[string]*netns.Host{}, servers: map[string]server{}, daemons: map[string]*Daemon{},
		peers: map[string]*network.Proxy{}, clients: map[string]*network.Proxy{},
	}
	for _, region := range Names() {
		c.peers[region], c.clients[region] = c.Network.Proxy(network.Peers, region), c.Network.Proxy(network.Clients, region)
	}
	return c
}

func (c *Cluster) setRoundTrips(distances RoundTrips) {
	c.Network.SetRoundTrip(EU, US, distances.EUToUS)
	c.Network.SetRoundTrip(EU, AP, distances.EUToAP)
	c.Network.SetRoundTrip(US, AP, distances.USToAP)
}

// Start starts a cluster of members that are processes of their own, and waits until the
// member of EU leads it.
func Start(tb testing.TB, distances RoundTrips, options ...MemberOption) *Cluster {
	tb.Helper()
	return start(tb, nil, distances, options)
}

// StartOnHosts is Start with each member, and each daemon of the cluster, on a host of its own of the bridge.
func StartOnHosts(tb testing.TB, bridge *netns.Bridge, distances RoundTrips, options ...MemberOption) *Cluster {
	tb.Helper()
	return start(tb, bridge, distances, options)
}

func start(tb testing.TB, bridge *netns.Bridge, distances RoundTrips, options []MemberOption) *Cluster {
	tb.Helper()
	c := newCluster(tb, bridge)
	var initial []string
	for _, region := range Names() {
		initial = append(initial, region+"="+c.peers[region].URL())
	}
	for _, region := range Names() {
		m := &member{tb: tb, network: c.Network, region: region, peer: c.peers[region], client: c.clients[region], host: c.addHost("member "+region, region)}
		m.config = memberConfig{Name: region, Addr: addrOf(m.host), Dir: tb.TempDir(), PeerURL: m.peer.URL(), ClientURL: m.client.URL(), InitialCluster: strings.Join(initial, ",")}
		m.config.IsFast = distances == RoundTrips{}
		for _, option := range options {
			option(&m.config)
		}
		c.servers[region] = m
		require.NoError(tb, m.start())
	}
	c.setRoundTrips(distances)
	c.MoveLeader(EU)
	return c
}

// loopback is the address of processes without a host.
const loopback = "127.0.0.1"

func addrOf(host *netns.Host) string {
	if host == nil {
		return loopback
	}
	return host.Addr
}

// addHost returns a host for a process of the region, nil if all processes are on this machine.
func (c *Cluster) addHost(process, region string) *netns.Host {
	c.tb.Helper()
	if c.bridge == nil {
		return nil
	}
	host, err := c.bridge.AddHost()
	require.NoError(c.tb, err)
	c.Network.AddHost(region, host.Addr)
	c.hosts[process] = host
	return host
}

// Hosts returns the hosts of the processes, by names such as "member eu" and "daemon eu".
func (c *Cluster) Hosts() map[string]*netns.Host { return maps.Clone(c.hosts) }

// Endpoints returns the client URLs of all members, for a process of any region.
func (c *Cluster) Endpoints() []string {
	var urls []string
	for _, region := range Names() {
		urls = append(urls, c.clients[region].URL())
	}
	return urls
}

// Client returns a client of the member of the region, without a delay. It is closed when
// the test ends.
func (c *Cluster) Client(region string) *clientv3.Client {
	c.tb.Helper()
	client, err := c.OpenClient(region)
	require.NoError(c.tb, err)
	c.tb.Cleanup(func() { _ = client.Close() })
	return client
}

// OpenClient returns a client of the member of the region. The caller closes it.
func (c *Cluster) OpenClient(region string) (*clientv3.Client, error) {
	return clientv3.New(c.ClientConfig(c.clients[region].URL()))
}

// ClientConfig returns the configuration of an administrator's client of the endpoints.
func (c *Cluster) ClientConfig(endpoints ...string) clientv3.Config {
	return clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop(), Username: c.user, Password: c.password}
}

// SetAdministrator sets the user of later clients, after etcd was made to authenticate requests. It must not
// be called concurrently with other methods.
func (c *Cluster) SetAdministrator(user, password string) { c.user, c.password = user, password }

// Leader returns the region of the leader, and "" while there is none. It is safe for concurrent
// use.
func (c *Cluster) Leader() string {
	for _, region := range Names() {
		if status, err := c.status(context.Background(), region); err == nil && status.Leader == status.Header.GetMemberId() {
			return region
		}
	}
	return ""
}

// MoveLeader waits until the cluster has a leader, and makes the member of the region the
// leader.
func (c *Cluster) MoveLeader(region string) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	require.NoError(c.tb, c.TransferLeader(ctx, region))
}

func (c *Cluster) status(ctx context.Context, region string) (*clientv3.StatusResponse, error) {
	if c.servers[region].running().hasExited() {
		return nil, fmt.Errorf("the member of %s has exited", region)
	}
	client, err := c.OpenClient(region)
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return client.Status(ctx, c.clients[region].URL())
}

// KillMember kills the process of the member of the region. RestartMember starts it with its data.
func (c *Cluster) KillMember(region string) { c.servers[region].running().kill() }

// RestartMember starts a member that was killed, with its data. It does not wait for a leader.
func (c *Cluster) RestartMember(region string) {
	c.tb.Helper()
	require.NoError(c.tb, c.LaunchMember(region))
}

// SuspendMember stops the process of the member of the region, which keeps its
// connections. ResumeMember continues it.
func (c *Cluster) SuspendMember(region string) {
	c.tb.Helper()
	require.NoError(c.tb, c.SignalMember(region, syscall.SIGSTOP))
}

// ResumeMember continues a suspended member.
func (c *Cluster) ResumeMember(region string) {
	c.tb.Helper()
	require.NoError(c.tb, c.SignalMember(region, syscall.SIGCONT))
}
