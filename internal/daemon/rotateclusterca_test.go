package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/pki"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/tcptest"
	"galaxy/rtmanager/internal/tlsfiles"
)

// securedCluster is a cluster of three daemons with embedded members and certificates of one
// directory.
type securedCluster struct {
	t         *testing.T
	root      string
	authority *pki.Directory
	settings  []config.Config
	daemons   []*runningDaemon
	clients   []*httpclient.Client // of the administrator, one for each daemon
}

func startSecuredCluster(t *testing.T) *securedCluster {
	t.Helper()
	etcdtest.AllowClusters()
	c := &securedCluster{t: t, root: filepath.Join(t.TempDir(), "pki")}
	options := pki.Options{CAValidity: 100 * day, Validity: 10 * day, Now: time.Now}
	regions := []string{"eu", "us", "ap"}
	for _, region := range regions {
		options.Nodes = append(options.Nodes, pki.NodeHosts{Node: node.Ref{Region: region, Name: "n1"}, Hosts: []string{"127.0.0.1"}})
	}
	_, err := pki.Init(c.root, options)
	require.NoError(t, err)
	c.authority, err = pki.Open(c.root, time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.authority.Close()) })
	url := func() string { return fmt.Sprintf("https://127.0.0.1:%d", tcptest.UnusedPort(t)) }
	for i, region := range regions {
		cfg := newSettings(t)
		cfg.Listen = fmt.Sprintf("127.0.0.1:%d", tcptest.UnusedPort(t))
		cfg.CertsDir = filepath.Join(c.root, "nodes", region, "n1")
		cfg.Region, cfg.Node, cfg.Engine = region, "n1", config.EngineNone
		cfg.EtcdListenClient, cfg.EtcdListenPeer = url(), url()
		cfg.ClusterInit = i == 0
		if i > 0 {
			cfg.ClusterJoin = []string{c.settings[0].EtcdListenClient}
		}
		c.settings = append(c.settings, cfg)
		c.daemons = append(c.daemons, start(t, cfg))
		admin, _ := userClient(t, filepath.Join(c.root, "users", "admin"))
		client, err := httpclient.New("https://"+cfg.Listen, httpclient.Config{HTTPClient: admin})
		require.NoError(t, err)
		c.clients = append(c.clients, client)
	}
	c.awaitQuorum()
	return c
}

const day = 24 * time.Hour

// awaitQuorum waits until every daemon reports that all members respond.
func (c *securedCluster) awaitQuorum() {
	c.t.Helper()
	for _, client := range c.clients {
		require.EventuallyWithT(c.t, func(check *assert.CollectT) {
			members, err := client.Members(c.t.Context())
			require.NoError(check, err)
			require.Equal(check, "3 members, 1 may be lost", members.Quorum.Text, "%+v", members.Members)
		}, timeout, 100*time.Millisecond)
	}
}

// restart restarts the daemons one after another.
func (c *securedCluster) restart() {
	c.t.Helper()
	for i, cfg := range c.settings {
		require.NoError(c.t, c.daemons[i].stop())
		c.daemons[i] = start(c.t, cfg)
		c.awaitQuorum()
	}
}

// write writes records until the returned function is called. A write that fails at one daemon
// is repeated at the next one, as a client does that knows all of them. Every write must
// succeed.
func (c *securedCluster) write() (stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	var wg sync.WaitGroup
	writes := 0
	wg.Go(func() {
		for ; ctx.Err() == nil; writes++ {
			if err := c.writeOne(ctx, writes); ctx.Err() == nil && !assert.NoError(c.t, err) {
				return
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
		require.Greater(c.t, writes, 10)
	}
}

func (c *securedCluster) writeOne(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var errs []error
	for try := 0; ctx.Err() == nil; try++ {
		err := c.clients[(n+try)%len(c.clients)].Upsert(ctx, record(fmt.Sprintf("game-%d", n%10)))
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// connectEtcd connects to the member of the first daemon with the files of a directory.
func (c *securedCluster) connectEtcd(dir string) error {
	c.t.Helper()
	cert, err := tlsfiles.OpenKeyPair(filepath.Join(dir, "etcd.crt"), filepath.Join(dir, "etcd.key"), nil)
	require.NoError(c.t, err)
	roots, err := tlsfiles.OpenPool(filepath.Join(c.root, "etcd-ca.crt"), nil)
	require.NoError(c.t, err)
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{c.settings[0].EtcdListenClient}, TLS: tlsfiles.Client{Roots: roots, Cert: cert}.Config("127.0.0.1", nil), Logger: zap.NewNop(), MaxUnaryRetries: 1,
	})
	require.NoError(c.t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
	defer cancel()
	_, err = client.Get(ctx, "/")
	return err
}

// Both authorities of a cluster are replaced while a client writes: no write fails. At the end
// the previous authority opens neither the API nor etcd.
func TestAuthoritiesOfAClusterAreReplaced(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts three daemons twice")
	}
	t.Parallel()
	c := startSecuredCluster(t)
	previous := t.TempDir()
	require.NoError(t, os.CopyFS(previous, os.DirFS(filepath.Join(c.root, "etcd-clients", "root"))))
	require.NoError(t, os.Chmod(filepath.Join(previous, "etcd.key"), 0o600))
	require.NoError(t, c.connectEtcd(previous))
	stop := c.write()

	require.NoError(t, c.authority.RotateCA(pki.Kinds(), 100*day))
	c.restart() // the members trust both authorities
	_, err := c.authority.Renew(pki.RenewOptions{Validity: 20 * day})
	require.NoError(t, err)
	for _, client := range c.clients {
		require.EventuallyWithT(t, func(check *assert.CollectT) {
			members, err := client.Members(t.Context())
			require.NoError(check, err)
			for _, m := range members.Members {
				require.NotNil(check, m.CertificateNotAfter, m.Error)
				require.Greater(check, time.Until(*m.CertificateNotAfter), 15*day, "the previous certificate is in use")
			}
			for _, file := range members.Certificates {
				require.Greater(check, time.Until(file.NotAfter), 15*day, file.Use)
			}
		}, timeout, 100*time.Millisecond)
	}
	require.NoError(t, c.authority.FinishRotation(pki.Kinds()))
	c.restart() // the members trust the new authority only
	stop()
	require.NoError(t, c.connectEtcd(filepath.Join(c.root, "etcd-clients", "root")))
	require.Error(t, c.connectEtcd(previous), "the previous authority is still trusted")
}
