package etcdtest

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"galaxy/rtmanager/internal/testkit/tcptest"
)

// Cluster is an etcd cluster of one test, whose members m1, m2, … run in this process. It is
// not safe for concurrent use.
type Cluster struct {
	tb      testing.TB
	configs []*embed.Config
	members []*member // nil while stopped
}

// StartCluster returns a running cluster of the number of members. The options change the
// settings of each member before it starts. When the test ends, the members are stopped.
func StartCluster(tb testing.TB, size int, options ...func(*embed.Config)) *Cluster {
	tb.Helper()
	AllowClusters()
	c := &Cluster{tb: tb, members: make([]*member, size)}
	var initial []string
	for i := range size {
		cfg := defaultConfig(tb.TempDir())
		cfg.Name = fmt.Sprintf("m%d", i+1)
		// Members of one cluster need time for elections on a busy machine.
		cfg.TickMs, cfg.ElectionMs = 50, 1000
		// A member that was removed panics on a request for its status, until it stops.
		cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop().WithOptions(zap.WithPanicHook(zapcore.WriteThenGoexit)))
		cfg.ListenPeerUrls = []url.URL{fixedURL(tb)}
		cfg.ListenClientUrls = []url.URL{fixedURL(tb)}
		cfg.AdvertisePeerUrls, cfg.AdvertiseClientUrls = cfg.ListenPeerUrls, cfg.ListenClientUrls
		for _, option := range options {
			option(cfg)
		}
		initial = append(initial, cfg.Name+"="+cfg.AdvertisePeerUrls[0].String())
		c.configs = append(c.configs, cfg)
	}
	for _, cfg := range c.configs {
		cfg.InitialCluster = strings.Join(initial, ",")
	}
	var starting sync.WaitGroup
	errs := make([]error, size)
	for i := range c.members {
		starting.Go(func() { c.members[i], errs[i] = startMember(c.configs[i]) })
	}
	starting.Wait()
	tb.Cleanup(func() {
		for i := range c.members {
			c.Stop(i)
		}
	})
	for _, err := range errs {
		require.NoError(tb, err)
	}
	return c
}

// AllowClusters makes Main accept the connections between members that remain for some seconds
// after the stop of a cluster in this process. StartCluster calls it.
func AllowClusters() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.hasCluster = true
}

// clusterOptions returns the goroutines that can remain after the stop of a cluster: a stopped
// member closes connections of other members after up to five seconds.
func clusterOptions() []goleak.Option {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.hasCluster {
		return nil
	}
	return []goleak.Option{
		goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("net/http.(*connReader).backgroundRead"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
	}
}

func fixedURL(tb testing.TB) url.URL {
	return loopbackURL(fmt.Sprintf("127.0.0.1:%d", tcptest.UnusedPort(tb)))
}

// Stop stops the member with the index, which counts from 0, and keeps its data.
func (c *Cluster) Stop(index int) {
	if c.members[index] != nil {
		c.members[index].stop()
		c.members[index] = nil
	}
}

// Restart starts a member that was stopped, on its data and its addresses.
func (c *Cluster) Restart(index int) {
	c.tb.Helper()
	var err error
	c.members[index], err = startMember(c.configs[index])
	require.NoError(c.tb, err)
}

// ClientAddress and PeerAddress return HOST:PORT of a member.
func (c *Cluster) ClientAddress(index int) string { return c.configs[index].ListenClientUrls[0].Host }

// PeerAddress returns HOST:PORT by which members reach the member.
func (c *Cluster) PeerAddress(index int) string { return c.configs[index].ListenPeerUrls[0].Host }

// Endpoint returns the client URL of a member.
func (c *Cluster) Endpoint(index int) string { return "http://" + c.ClientAddress(index) }

// Client returns a new client of one member over TCP. It is closed when the test ends.
func (c *Cluster) Client(index int) *clientv3.Client {
	c.tb.Helper()
	return newClient(c.tb, c.Endpoint(index))
}

// InProcess returns a new client of one running member without a network. It is closed when
// the test ends, before the members.
func (c *Cluster) InProcess(index int) *clientv3.Client {
	c.tb.Helper()
	require.NotNil(c.tb, c.members[index], "the member is stopped")
	return newInProcessClient(c.tb, c.members[index])
}

// ID returns the id of a running member.
func (c *Cluster) ID(index int) uint64 { return uint64(c.members[index].etcd.Server.MemberID()) }
