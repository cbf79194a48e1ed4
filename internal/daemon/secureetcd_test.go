package daemon_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// An etcd with TLS, whose user may access the prefix of the daemon only.
func TestDaemonOnASecuredEtcd(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a connection to time out")
	}
	t.Parallel()
	cert := filepath.Join(t.TempDir(), "cert")
	server := etcdtest.Start(t, func(c *embed.Config) {
		info, err := transport.SelfCert(zap.NewNop(), cert, []string{"127.0.0.1:0"}, 1)
		require.NoError(t, err)
		c.ClientTLSInfo = info
		c.ListenClientUrls[0].Scheme, c.AdvertiseClientUrls[0].Scheme = "https", "https"
	})
	cfg := externalSettings(t, strings.Replace(server.Endpoint(), "http:", "https:", 1))
	cfg.EtcdCACert = filepath.Join(cert, "cert.pem")
	enableAuth(t, cfg, "secret")

	cfg.EtcdUser, cfg.EtcdPasswordFile = "rtmanager", passwordFile(t, "secret\n")
	d := start(t, cfg)
	events := watch(t, d)
	requireEvent(t, events, ports.EventSynced, "")
	require.NoError(t, d.client.Upsert(t.Context(), record("game")))
	requireEvent(t, events, ports.EventUpserted, "game")
	report, err := d.client.Check(t.Context(), false)
	require.NoError(t, err)
	require.True(t, report.IsClean())
	_, err = d.client.Info(t.Context())
	require.NoError(t, err, "a request that the user may not make does not fail the others")
	require.NoError(t, d.stop())

	wrong := cfg
	wrong.EtcdPasswordFile = passwordFile(t, "other")
	err = startError(t, wrong)
	require.NotContains(t, err.Error(), "other", "the error does not contain the password")

	outside := cfg
	outside.EtcdPrefix = etcdtest.Prefix(t)
	require.ErrorContains(t, startError(t, outside), "permission denied: the user of --etcd-user may not use the keys of --etcd-prefix")

	untrusted := cfg
	untrusted.EtcdCACert, untrusted.EtcdDialTimeout = "", time.Second
	require.ErrorIs(t, startError(t, untrusted), runtime.ErrUnavailable)
}

// The password changes in etcd before it changes in the file. The daemon is not ready in the
// meantime, and continues without a restart.
func TestPasswordRotation(t *testing.T) {
	t.Parallel()
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	enableAuth(t, cfg, "first")
	cfg.EtcdUser, cfg.EtcdPasswordFile = "rtmanager", passwordFile(t, "first\n")
	d := start(t, cfg)
	events := watch(t, d)
	requireEvent(t, events, ports.EventSynced, "")

	admin, err := clientv3.New(clientv3.Config{Endpoints: cfg.EtcdEndpoints, Username: "root", Password: "first", Logger: zap.NewNop()})
	require.NoError(t, err)
	defer admin.Close()
	_, err = admin.UserChangePassword(t.Context(), "rtmanager", "second")
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		status, body := get(c, d.API+"/readyz")
		require.Equal(c, http.StatusServiceUnavailable, status)
		require.Contains(c, body, "authentication failed")
	}, timeout, 20*time.Millisecond)

	require.NoError(t, os.WriteFile(cfg.EtcdPasswordFile, []byte("second\n"), 0o600))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		status, _ := get(c, d.API+"/readyz")
		require.Equal(c, http.StatusOK, status)
	}, timeout, 20*time.Millisecond)
	require.NoError(t, d.client.Upsert(t.Context(), record("after")))
	requireEvent(t, events, ports.EventUpserted, "after")
}

// get returns status and body of a response.
func get(t require.TestingT, url string) (int, string) {
	resp, err := http.Get(url) //nolint:gosec // a URL of this test
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func passwordFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// enableAuth creates the user rtmanager, which may read and write below the prefix.
func enableAuth(t *testing.T, cfg config.Config, password string) {
	t.Helper()
	tls, err := transport.TLSInfo{TrustedCAFile: cfg.EtcdCACert}.ClientConfig()
	require.NoError(t, err)
	admin, err := clientv3.New(clientv3.Config{Endpoints: cfg.EtcdEndpoints, TLS: tls, Logger: zap.NewNop()})
	require.NoError(t, err)
	defer admin.Close()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	for _, user := range []string{"root", "rtmanager"} {
		_, err = admin.UserAdd(ctx, user, password)
		require.NoError(t, err)
		_, err = admin.RoleAdd(ctx, user)
		require.NoError(t, err)
		_, err = admin.UserGrantRole(ctx, user, user)
		require.NoError(t, err)
	}
	prefix := cfg.EtcdPrefix + "/"
	_, err = admin.RoleGrantPermission(ctx, "rtmanager", prefix, clientv3.GetPrefixRangeEnd(prefix), clientv3.PermissionType(clientv3.PermReadWrite))
	require.NoError(t, err)
	_, err = admin.AuthEnable(ctx)
	require.NoError(t, err)
}
