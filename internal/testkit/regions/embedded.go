package regions

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/tcptest"
)

// StartEmbedded starts a cluster of daemons with embedded members: that of EU starts the
// cluster, and the others join it. It returns once all are ready and EU leads.
// KillMember and its like concern the whole daemon. The daemons have flags in addition to their
// own.
func StartEmbedded(tb testing.TB, distances RoundTrips, flags ...string) *Cluster {
	tb.Helper()
	c := newCluster(tb, nil)
	c.setRoundTrips(distances)
	// A member that measures a longer round trip would change the timing that the others run with.
	largest := max(distances.EUToUS, distances.EUToAP, distances.USToAP) + 40*time.Millisecond
	for _, region := range Names() {
		join := []string{"--cluster-join", c.clients[EU].URL()}
		if region == EU {
			join = []string{"--cluster-init", "--cluster-round-trip", largest.String()}
		}
		d := c.newMemberDaemon(region, join, flags)
		c.servers[region], c.daemons[region] = daemonServer{d}, d
		d.Start()
	}
	c.MoveLeader(EU)
	return c
}

// newMemberDaemon returns a daemon with an embedded member, with the ports of its first start.
func (c *Cluster) newMemberDaemon(region string, join, flags []string) *Daemon {
	c.tb.Helper()
	d := c.newDaemon(region, region+"-1")
	client, peer := unusedAddr(c.tb), unusedAddr(c.tb)
	c.clients[region].SetTarget(client)
	c.peers[region].SetTarget(peer)
	d.port = tcptest.UnusedPort(c.tb)
	d.join = join
	d.storeFlags = func() []string {
		return append([]string{
			"--etcd-listen-client", "http://" + client, "--etcd-listen-peer", "http://" + peer,
			"--etcd-advertise-client", c.clients[region].URL(), "--etcd-advertise-peer", c.peers[region].URL(),
		}, slices.Concat(d.join, flags)...)
	}
	return d
}

func unusedAddr(tb testing.TB) string {
	return net.JoinHostPort(loopback, strconv.Itoa(tcptest.UnusedPort(tb)))
}

// Daemon returns the daemon with the embedded member of the region.
func (c *Cluster) Daemon(region string) *Daemon { return c.daemons[region] }

// MemberName returns the name of the embedded member of the region.
func MemberName(region string) string { return fmt.Sprintf("%s/%s-1", region, region) }

// LoseDisk kills the daemon and its games, and removes the data directory. The next start
// joins the members of the other regions.
func (d *Daemon) LoseDisk() {
	d.tb.Helper()
	require.NoError(d.tb, d.WipeDisk())
}

// WipeDisk is LoseDisk with an error instead of a failed test.
func (d *Daemon) WipeDisk() error {
	d.killGames()
	if err := os.RemoveAll(d.dataDir); err != nil {
		return err
	}
	if err := d.addImages(); err != nil {
		return err
	}
	var others []string
	for _, region := range Names() {
		if region != d.region {
			others = append(others, d.cluster.clients[region].URL())
		}
	}
	d.join = []string{"--cluster-join", strings.Join(others, ",")}
	return nil
}

// daemonServer is a daemon as the server of its embedded member.
type daemonServer struct{ *Daemon }

func (s daemonServer) start() error      { return s.begin() }
func (s daemonServer) running() *process { return s.process.Load() }
