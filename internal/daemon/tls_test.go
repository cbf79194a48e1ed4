package daemon_test

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/testkit/certtest"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// withCertificate sets the TLS files of a daemon.
func withCertificate(t testing.TB, cfg *config.Config, ca *certtest.Authority, leaf certtest.Leaf) {
	t.Helper()
	dir := t.TempDir()
	cfg.TLSCert, cfg.TLSKey = leaf.Write(t, dir)
	cfg.TLSClientCA = ca.Write(t, dir)
}

// newAdmin returns an HTTP client with the certificate of an administrator, which opens a
// connection for each request.
func newAdmin(t *testing.T, ca *certtest.Authority) *http.Client {
	t.Helper()
	leaf := ca.Issue(t, pkix.Name{CommonName: "ada", Organization: []string{"rtmanager:admins"}})
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{leaf.TLS}}, DisableKeepAlives: true,
	}}
}

// asAdmin replaces the client of a daemon.
func (r *runningDaemon) asAdmin(t *testing.T, admin *http.Client) *runningDaemon {
	t.Helper()
	client, err := httpclient.New(r.API, httpclient.Config{HTTPClient: admin})
	require.NoError(t, err)
	r.client = client
	return r
}

// getBody returns the body of a successful response, and the certificate of the server.
func getBody(t require.TestingT, client *http.Client, url string) (body, serverName string) {
	response, err := client.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", text)
	return string(text), response.TLS.PeerCertificates[0].Subject.CommonName
}

// The certificate is renewed while the daemon serves. A broken file keeps the previous one, and
// is visible in the metrics.
func TestCertificateIsRenewedWhileServing(t *testing.T) {
	t.Parallel()
	ca := certtest.NewAuthority(t, "ca")
	cfg := newSettings(t)
	cfg.Engine = config.EngineNone
	withCertificate(t, &cfg, ca, ca.IssueNode(t, "eu/first"))
	admin := newAdmin(t, ca)
	d := start(t, cfg).asAdmin(t, admin)
	require.True(t, strings.HasPrefix(d.API, "https://127.0.0.1:"), "API %s", d.API)
	require.NoError(t, d.client.Upsert(t.Context(), record("game")))
	dir := strings.TrimSuffix(cfg.TLSCert, "/tls.crt")

	ca.IssueNode(t, "eu/second").Write(t, dir)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, name := getBody(c, admin, d.API+"/healthz")
		require.Equal(c, "eu/second", name)
	}, timeout, 20*time.Millisecond)

	require.NoError(t, os.WriteFile(cfg.TLSCert, []byte("-----BEGIN CERT"), 0o600))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		metrics, name := getBody(c, admin, d.API+"/metrics")
		require.Equal(c, "eu/second", name)
		require.Contains(c, metrics, `rtmanager_tls_files_valid{use="api"} 0`)
		require.NotContains(c, metrics, `rtmanager_tls_reload_failures_total{use="api"} 0`)
		require.Contains(c, metrics, `rtmanager_tls_files_valid{use="client_ca"} 1`)
		require.Contains(c, metrics, `rtmanager_tls_certificate_expiry_days{use="client_ca"} 0.9`)
		require.Contains(c, metrics, `rtmanager_tls_certificate_not_after_timestamp_seconds{use="api"} `)
	}, timeout, 20*time.Millisecond)
}

func TestUnusableCertificatesFailTheStart(t *testing.T) {
	t.Parallel()
	ca := certtest.NewAuthority(t, "ca")
	for name, c := range map[string]struct {
		change func(t *testing.T, cfg *config.Config)
		want   []string
	}{
		"open key": {func(t *testing.T, cfg *config.Config) {
			require.NoError(t, os.Chmod(cfg.TLSKey, 0o644))
		}, []string{"--tls-cert, --tls-key: ", "mode 0644", "chmod 600"}},
		"missing certificate": {func(_ *testing.T, cfg *config.Config) { cfg.TLSCert += "x" }, []string{"--tls-cert, --tls-key: ", "no such file"}},
		"empty CA": {func(t *testing.T, cfg *config.Config) {
			require.NoError(t, os.Truncate(cfg.TLSClientCA, 0))
		}, []string{"--tls-client-ca: ", "contains no valid PEM certificate"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := newSettings(t)
			withCertificate(t, &cfg, ca, ca.IssueNode(t, "local/n1"))
			c.change(t, &cfg)
			err := startError(t, cfg)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			entries, err := os.ReadDir(cfg.DataDir)
			require.NoError(t, err)
			require.Empty(t, entries, "the data directory is not changed")
		})
	}
}

// Daemons call each other by mutual TLS. A daemon whose certificate is that of another node
// receives no request.
func TestDaemonsVerifyEachOther(t *testing.T) {
	t.Parallel()
	ca := certtest.NewAuthority(t, "ca")
	admin := newAdmin(t, ca)
	base := externalSettings(t, etcdtest.Start(t).Endpoint())
	startNode := func(name, certificate string) *runningDaemon {
		cfg := base
		cfg.DataDir, cfg.Engine, cfg.Region, cfg.Node = t.TempDir(), config.EngineProcess, "eu", name
		withCertificate(t, &cfg, ca, ca.IssueNode(t, certificate))
		return start(t, cfg).asAdmin(t, admin)
	}
	first, second := startNode("n1", "eu/n1"), startNode("n2", "eu/n2")
	nodes, err := first.client.Nodes(t.Context())
	require.NoError(t, err)
	require.Len(t, nodes.Items, 2)
	for _, n := range nodes.Items {
		require.Regexp(t, "^https://127.0.0.1:", n.API)
	}
	for _, d := range []*runningDaemon{first, second} {
		report, err := d.client.Drift(t.Context())
		require.NoError(t, err)
		require.Empty(t, report.Missing)
	}

	startNode("n3", "eu/n1")
	report, err := second.client.Drift(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Missing, 1)
	require.Equal(t, drift.UnreachableNode{Region: "eu", Node: "n3", Reason: report.Missing[0].Reason}, report.Missing[0])
	require.Contains(t, report.Missing[0].Reason, `the certificate is that of node "eu/n1", not of eu/n3`)
}
