package daemon_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/etcdauth"
	"galaxy/rtmanager/internal/testkit/tcptest"
)

// memberSettings returns the settings of a daemon with a member of a cluster, on addresses that do
// not change.
func memberSettings(t *testing.T, name string) config.Config {
	t.Helper()
	cfg := newSettings(t)
	cfg.Region, cfg.Node, cfg.Engine = "eu", name, config.EngineNone
	cfg.Listen = fmt.Sprintf("127.0.0.1:%d", tcptest.UnusedPort(t))
	cfg.EtcdListenClient = fmt.Sprintf("http://127.0.0.1:%d", tcptest.UnusedPort(t))
	cfg.EtcdListenPeer = fmt.Sprintf("http://127.0.0.1:%d", tcptest.UnusedPort(t))
	return cfg
}

// getFrom returns the status and the body of a response of the API.
func getFrom(t require.TestingT, cfg config.Config, path string) (status int, body string) {
	client := &http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + cfg.Listen + path)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

// A daemon that waits for its cluster serves its probes with the reason, and continues by itself.
func TestDaemonWaitsForItsCluster(t *testing.T) {
	t.Parallel()
	first, second := memberSettings(t, "first"), memberSettings(t, "second")
	first.ClusterInit, second.ClusterJoin = true, []string{first.EtcdListenClient}

	started := make(chan *runningDaemon, 1)
	go func() { started <- start(t, second) }()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		status, body := getFrom(c, second, "/readyz")
		require.Equal(c, http.StatusServiceUnavailable, status)
		require.Contains(c, body, "waiting for a member of the cluster to respond: "+first.EtcdListenClient)
	}, timeout, 50*time.Millisecond)
	status, _ := getFrom(t, second, "/healthz")
	require.Equal(t, http.StatusOK, status)
	status, body := getFrom(t, second, "/v1/runtimes")
	require.Equal(t, http.StatusServiceUnavailable, status)
	var problem struct{ Code string }
	require.NoError(t, json.Unmarshal([]byte(body), &problem))
	require.Equal(t, "unavailable", problem.Code)

	a := start(t, first)
	b := <-started
	require.Equal(t, a.Store, b.Store)
	require.NoError(t, b.client.Upsert(t.Context(), record("game")))

	bootstrap := config.Default()
	bootstrap.EtcdEndpoints = []string{first.EtcdListenClient, second.EtcdListenClient}
	_, err := bootstrapEtcd(t, bootstrap, etcdauth.Options{User: "daemon", Role: "eu", Password: "secret", EnableAuth: true, RootPassword: "secret"})
	require.ErrorContains(t, err, "is embedded in a daemon")

	// Without a quorum the next start waits as well.
	require.NoError(t, a.stop())
	require.NoError(t, b.stop())
	go func() { started <- start(t, second) }()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		status, body := getFrom(c, second, "/readyz")
		require.Equal(c, http.StatusServiceUnavailable, status)
		require.Contains(c, body, "has no leader: 2 of 2 members must run")
	}, timeout, 50*time.Millisecond)
	start(t, first)
	b = <-started
	got, err := b.client.Get(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, "game", got.GameID)
}
