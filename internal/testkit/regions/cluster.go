package regions

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// The regions of a Cluster. The leader begins in EU.
const (
	EU = "eu"
	US = "us"
	AP = "ap"
)

// Names lists the regions of a Cluster.
func Names() []string { return []string{EU, US, AP} }

// RoundTrips are the round trips between the regions of a Cluster.
type RoundTrips struct{ EUToUS, EUToAP, USToAP time.Duration }

// Far are round trips between continents.
var Far = RoundTrips{EUToUS: 80 * time.Millisecond, EUToAP: 150 * time.Millisecond, USToAP: 200 * time.Millisecond}

// Cluster is an etcd cluster with one member in each region. It is not safe for concurrent
// use.
type Cluster struct {
	Network *Network

	tb      testing.TB
	members map[string]*member
}

// Start starts a cluster and waits until the member of EU leads it.
func Start(tb testing.TB, distances RoundTrips) *Cluster {
	tb.Helper()
	network := NewNetwork(tb)
	c := &Cluster{Network: network, tb: tb, members: map[string]*member{}}
	var initial []string
	for _, region := range Names() {
		m := &member{network: network, region: region, peer: network.Proxy(Peers, region), client: network.Proxy(Clients, region)}
		m.config = memberConfig{Name: region, Dir: tb.TempDir(), PeerURL: m.peer.URL(), ClientURL: m.client.URL()}
		initial = append(initial, region+"="+m.config.PeerURL)
		c.members[region] = m
	}
	for _, region := range Names() {
		c.members[region].config.InitialCluster = strings.Join(initial, ",")
		c.members[region].start(tb)
	}
	network.SetRoundTrip(EU, US, distances.EUToUS)
	network.SetRoundTrip(EU, AP, distances.EUToAP)
	network.SetRoundTrip(US, AP, distances.USToAP)
	c.MoveLeader(EU)
	return c
}

// Endpoints returns the client URLs of all members, for a process of any region.
func (c *Cluster) Endpoints() []string {
	var urls []string
	for _, region := range Names() {
		urls = append(urls, c.members[region].client.URL())
	}
	return urls
}

// Client returns a client of the member of the region, without a delay. It is closed when
// the test ends.
func (c *Cluster) Client(region string) *clientv3.Client {
	c.tb.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{c.members[region].client.URL()}, Logger: zap.NewNop()})
	require.NoError(c.tb, err)
	c.tb.Cleanup(func() { _ = client.Close() })
	return client
}

// Leader returns the region of the leader, and "" while there is none.
func (c *Cluster) Leader() string {
	for _, region := range Names() {
		if status, err := c.status(region); err == nil && status.Leader == status.Header.GetMemberId() {
			return region
		}
	}
	return ""
}

// MoveLeader waits until the cluster has a leader, and makes the member of the region the
// leader.
func (c *Cluster) MoveLeader(region string) {
	c.tb.Helper()
	require.Eventually(c.tb, func() bool {
		leader := c.Leader()
		if leader == "" || leader == region {
			return leader == region
		}
		target, err := c.status(region)
		if err != nil {
			return false
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, _ = c.Client(leader).MoveLeader(ctx, target.Header.GetMemberId())
		return false
	}, startTimeout, 200*time.Millisecond, "the member of %s did not become the leader", region)
}

func (c *Cluster) status(region string) (*clientv3.StatusResponse, error) {
	if c.members[region].process.hasExited() {
		return nil, fmt.Errorf("the member of %s has exited", region)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{c.members[region].client.URL()}, Logger: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return client.Status(ctx, c.members[region].client.URL())
}

// KillMember kills the member of the region. RestartMember starts it with its data.
func (c *Cluster) KillMember(region string) { c.members[region].process.kill() }

// RestartMember starts a member that was killed, with its data.
func (c *Cluster) RestartMember(region string) { c.members[region].start(c.tb) }

// SuspendMember stops the process of the member of the region, which keeps its
// connections. ResumeMember continues it.
func (c *Cluster) SuspendMember(region string) { c.members[region].suspend() }

// ResumeMember continues a suspended member.
func (c *Cluster) ResumeMember(region string) { c.members[region].resume() }
