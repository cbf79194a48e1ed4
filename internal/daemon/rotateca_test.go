package daemon_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/pki"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/tlsfiles"
)

// userClient returns an HTTP client with the files of a user, which opens a connection for each
// request.
func userClient(t *testing.T, dir string) (*http.Client, tlsfiles.Client) {
	t.Helper()
	roots, err := tlsfiles.OpenPool(filepath.Join(dir, "ca.crt"), nil)
	require.NoError(t, err)
	cert, err := tlsfiles.OpenKeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), nil)
	require.NoError(t, err)
	files := tlsfiles.Client{Roots: roots, Cert: cert}
	return &http.Client{Timeout: timeout, Transport: &http.Transport{TLSClientConfig: files.Config("127.0.0.1", nil), DisableKeepAlives: true}}, files
}

// The authority of two daemons is replaced while a client calls both and they call each other.
// No request fails.
func TestAuthorityIsReplacedWithoutDowntime(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until the daemons have read their files several times")
	}
	t.Parallel()
	const day = 24 * time.Hour
	root := filepath.Join(t.TempDir(), "pki")
	_, err := pki.Init(root, pki.Options{CAValidity: 100 * day, Validity: 10 * day, Now: time.Now})
	require.NoError(t, err)
	authority, err := pki.Open(root, time.Now)
	require.NoError(t, err)
	defer authority.Close()
	base := externalSettings(t, etcdtest.Start(t).Endpoint())
	admin, adminFiles := userClient(t, filepath.Join(root, "users", "admin"))
	var daemons []*runningDaemon
	for _, name := range []string{"n1", "n2"} {
		leaves, err := authority.IssueNode(node.Ref{Region: "eu", Name: name}, []string{"127.0.0.1"}, 10*day)
		require.NoError(t, err)
		cfg := base
		cfg.DataDir, cfg.Engine, cfg.Region, cfg.Node = t.TempDir(), config.EngineProcess, "eu", name
		cfg.TLSCert, cfg.TLSKey = leaves[0].CertFile, leaves[0].KeyFile
		cfg.TLSClientCA = filepath.Join(filepath.Dir(leaves[0].CertFile), "ca.crt")
		daemons = append(daemons, start(t, cfg).asAdmin(t, admin))
	}
	stopCalls := callAll(t, daemons)

	require.NoError(t, authority.RotateCA([]pki.Kind{pki.API}, 100*day))
	issued, err := authority.IssueUser("probe", nil, day)
	require.NoError(t, err)
	probe, _ := userClient(t, filepath.Join(root, "users", "probe"))
	requireEventually(t, daemons, func(c *assert.CollectT, d *runningDaemon) {
		response, err := probe.Get(d.API + "/healthz")
		require.NoError(c, err, "the new authority is not trusted yet")
		require.NoError(c, response.Body.Close())
		_, err = issued[0].Cert.Verify(x509.VerifyOptions{Roots: adminFiles.Roots.Current(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		require.NoError(c, err, "the client does not trust the new authority yet")
	})

	renewed, err := authority.Renew(pki.RenewOptions{Validity: 20 * day})
	require.NoError(t, err)
	require.Len(t, renewed, 3)
	requireEventually(t, daemons, func(c *assert.CollectT, d *runningDaemon) {
		response, err := admin.Get(d.API + "/healthz")
		require.NoError(c, err)
		require.NoError(c, response.Body.Close())
		require.Greater(c, time.Until(response.TLS.PeerCertificates[0].NotAfter), 15*day, "the previous certificate is in use")
		require.Greater(c, time.Until(adminFiles.Cert.Current().Leaf.NotAfter), 15*day)
	})
	require.NoError(t, authority.FinishRotation([]pki.Kind{pki.API}))
	for range 20 { // some of them after the daemons have read their files
		for _, d := range daemons {
			_, err := d.client.Drift(t.Context())
			require.NoError(t, err)
		}
	}
	stopCalls()
}

// requireEventually waits until the condition holds for each daemon.
func requireEventually(t *testing.T, daemons []*runningDaemon, condition func(*assert.CollectT, *runningDaemon)) {
	t.Helper()
	for _, d := range daemons {
		require.EventuallyWithT(t, func(c *assert.CollectT) { condition(c, d) }, timeout, 50*time.Millisecond)
	}
}

// callAll calls the daemons, and each daemon calls the others, until the returned function is
// called. Then every call must have succeeded.
func callAll(t *testing.T, daemons []*runningDaemon) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	calls := make([]int, len(daemons))
	for i, d := range daemons {
		wg.Go(func() { calls[i] = callUntil(ctx, t, d.client) })
	}
	return func() {
		cancel()
		wg.Wait()
		for i, count := range calls {
			require.Greater(t, count, 10, "calls of daemon %d", i)
		}
	}
}

// callUntil calls a daemon until ctx ends, and returns how often.
func callUntil(ctx context.Context, t *testing.T, client *httpclient.Client) (calls int) {
	for ; ; calls++ {
		report, err := client.Drift(ctx)
		if ctx.Err() != nil {
			return calls
		}
		assert.NoError(t, err)
		assert.Empty(t, report.Missing)
	}
}
