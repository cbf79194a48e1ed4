package daemon_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	require.ErrorContains(t, startError(t, outside), "permission denied")

	untrusted := cfg
	untrusted.EtcdCACert, untrusted.EtcdDialTimeout = "", time.Second
	require.ErrorIs(t, startError(t, untrusted), runtime.ErrUnavailable)
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
