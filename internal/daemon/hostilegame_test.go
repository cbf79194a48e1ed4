package daemon_test

import (
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/testkit/certtest"
	"galaxy/rtmanager/internal/testkit/dockertest"
)

// A game in a container reaches the API of its host, and has no rights there. It reaches neither
// etcd nor a file of the daemon.
func TestGameHasNoAccess(t *testing.T) {
	t.Parallel()
	image, cfg := dockerImageOf(t, "./testdata/hostilegame"), dockerSettings(t)
	ca := certtest.NewAuthority(t, "ca")
	withCertificate(t, &cfg, ca, ca.IssueNode(t, "local/before"))
	cfg.Listen = "0.0.0.0:0"
	d := start(t, cfg)
	removeContainersAtEnd(t, dockertest.Client(t), d.Store)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(d.API, "https://"))
	require.NoError(t, err)
	d.API = "https://127.0.0.1:" + port
	d.asAdmin(t, newAdmin(t, ca))
	etcd, err := url.Parse(cfg.EtcdEndpoints[0])
	require.NoError(t, err)

	d.execute(t, operation.KindStart, "hostile", &operation.Spec{
		Image: image, HealthPath: operation.NoHealthCheck,
		Args: []string{port, etcd.Port(), "/var/run/docker.sock", "/run/docker.sock", cfg.DataDir, cfg.TLSKey},
	})
	var log string
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		explained, err := d.client.Explain(t.Context(), "hostile")
		require.NoError(c, err)
		log = strings.Join(explained.Logs, "\n")
		require.Contains(c, log, "complete")
	}, timeout, 100*time.Millisecond)
	for _, want := range []string{
		"healthz: 200 OK", "list: 401 Unauthorized", "watch: 401 Unauthorized", "metrics: 401 Unauthorized", "stop: 401 Unauthorized",
		"token: 401 Unauthorized", "read-only: true", "unprivileged: true",
	} {
		require.Contains(t, log, want)
	}
	for _, failed := range []string{"etcd: false", "absent: false"} {
		require.NotContains(t, log, failed)
	}
}
