package securitycheck_test

import (
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/securitycheck"
	"galaxy/rtmanager/internal/testkit/certtest"
)

// newEnvironment returns the environment of an unprivileged daemon, and the socket of a Docker
// Engine that it can open.
func newEnvironment(t *testing.T) (env securitycheck.Environment, socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	require.NoError(t, os.Chmod(socket, 0o660))
	return securitycheck.Environment{Now: time.Now, UserID: 1000, DockerHost: "unix://" + socket}, socket
}

// newStrong returns settings without a weakness.
func newStrong(t *testing.T, ca *certtest.Authority, change ...func(*x509.Certificate)) config.Config {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	cfg := config.Default()
	cfg.Listen, cfg.Region, cfg.Node, cfg.Engine, cfg.DataDir = "0.0.0.0:8080", "eu", "n1", config.EngineDocker, dir
	valid := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(90 * 24 * time.Hour) }
	cfg.TLSCert, cfg.TLSKey = ca.IssueNode(t, "eu/n1", append([]func(*x509.Certificate){valid}, change...)...).Write(t, dir)
	cfg.TLSClientCA = ca.Write(t, dir)
	cfg.EtcdEndpoints, cfg.EtcdCACert = []string{"https://10.0.0.1:2379"}, cfg.TLSClientCA
	cfg.EtcdUser, cfg.EtcdPasswordFile = "rtmanager", filepath.Join(dir, "password")
	cfg.SecretsKeyFile, cfg.AuditFile = filepath.Join(dir, "secrets"), filepath.Join(dir, "audit")
	for _, name := range []string{cfg.EtcdPasswordFile, cfg.SecretsKeyFile, cfg.AuditFile} {
		require.NoError(t, os.WriteFile(name, []byte("secret"), 0o600))
	}
	require.NoError(t, cfg.Validate())
	return cfg
}

// Each change makes one weakness, which names its setting.
func TestWeaknesses(t *testing.T) {
	t.Parallel()
	ca := certtest.NewAuthority(t, "ca", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(365 * 24 * time.Hour) })
	soon := ca.IssueNode(t, "eu/n1", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(5*24*time.Hour + time.Hour) })
	expired, other := ca.IssueNode(t, "eu/n1", certtest.Expired), ca.IssueNode(t, "eu/n2", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(90 * 24 * time.Hour) })
	replace := func(leaf certtest.Leaf) func(*testing.T, *config.Config, *securitycheck.Environment) {
		return func(t *testing.T, c *config.Config, _ *securitycheck.Environment) {
			leaf.Write(t, filepath.Dir(c.TLSCert))
		}
	}
	type change = func(t *testing.T, c *config.Config, env *securitycheck.Environment)
	embed := func(c *config.Config) {
		c.EtcdEndpoints, c.EtcdCACert, c.EtcdUser, c.EtcdPasswordFile = nil, "", "", ""
	}
	for name, c := range map[string]struct {
		change change
		want   []string
	}{
		"none": {func(*testing.T, *config.Config, *securitycheck.Environment) {}, nil},
		"insecure": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) {
			c.Insecure, c.TLSCert, c.TLSKey, c.TLSClientCA, c.Auth = true, "", "", "", config.AuthOn
			c.Federate = []string{"us=http://us-1:8080", "http://127.0.0.1:8081"}
		}, []string{"--insecure: other machines can reach 0.0.0.0:8080 without TLS", "--federate: http://us-1:8080 of store us has no TLS"}},
		"authentication off": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) {
			c.Insecure, c.Auth = true, config.AuthOff
		}, []string{"--insecure: other machines can reach 0.0.0.0:8080 and change every game", "--auth: every user and every game of this machine"}},
		"expires soon": {replace(soon), []string{"--tls-cert: ", "in 5 days; renew it"}},
		"expired":      {replace(expired), []string{"--tls-cert: ", "expired on "}},
		"another node": {replace(other), []string{"--tls-cert: the certificate is not that of node eu/n1"}},
		"no client CA": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) { c.TLSClientCA = "" }, []string{"--tls-client-ca: client certificates"}},
		"open key": {func(t *testing.T, c *config.Config, _ *securitycheck.Environment) {
			require.NoError(t, os.Chmod(c.TLSKey, 0o644))
		}, []string{"--tls-cert: read key: ", "mode 0644", "chmod 600"}},
		"open password": {func(t *testing.T, c *config.Config, _ *securitycheck.Environment) {
			require.NoError(t, os.Chmod(c.EtcdPasswordFile, 0o644))
		}, []string{"--etcd-password-file: ", "mode 0644"}},
		"open secrets": {func(t *testing.T, c *config.Config, _ *securitycheck.Environment) {
			require.NoError(t, os.Chmod(c.SecretsKeyFile, 0o604))
		}, []string{"--secrets-key-file: ", "mode 0604"}},
		"changeable name": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) {
			c.OIDCIssuer, c.OIDCClientID, c.OIDCUsernameClaim = "https://login.example.com", "rtmanager", "preferred_username"
		}, []string{"--oidc-username-claim: at many issuers users can change the claim \"preferred_username\""}},
		"address as name": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) {
			c.OIDCIssuer, c.OIDCClientID, c.OIDCUsernameClaim, c.OIDCCA = "https://login.example.com", "rtmanager", "email", c.TLSClientCA
		}, []string{"--oidc-username-claim: an address"}},
		"issuer": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) {
			c.OIDCIssuer, c.OIDCClientID = "https://login.example.com", "rtmanager"
		}, nil},
		"no secrets": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) { c.SecretsKeyFile = "" }, []string{"--secrets-key-file: there are no keys"}},
		"no limit":   {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) { c.LimitRate = -1 }, []string{"--limit-rate: one caller, or a leaked token"}},
		"no audit":   {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) { c.AuditFile = "" }, []string{"--audit-file: changes, denied requests"}},
		"open audit": {func(t *testing.T, c *config.Config, _ *securitycheck.Environment) {
			require.NoError(t, os.Chmod(c.AuditFile, 0o644))
		}, []string{"--audit-file: mode 0644"}},
		"http to etcd": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) {
			c.EtcdEndpoints, c.EtcdCACert = []string{"http://10.0.0.1:2379"}, ""
		}, []string{"--etcd-endpoints: http://10.0.0.1:2379 has no TLS"}},
		"no user of etcd": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) {
			c.EtcdUser, c.EtcdPasswordFile = "", ""
		}, []string{"--etcd-user: this daemon uses etcd without a user", "rtmanager etcd bootstrap"}},
		"root of etcd": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) { c.EtcdUser = "root" }, []string{"--etcd-user: root may change everything"}},
		"open member": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) {
			embed(c)
			c.EtcdListenClient = "http://127.0.0.1:2379"
		}, []string{"--etcd-listen-client: every program that reaches http://127.0.0.1:2379 can change all records"}},
		"one authority": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) {
			embed(c)
			c.EtcdListenClient, c.EtcdListenCert, c.EtcdListenKey, c.EtcdListenClientCA = "https://10.0.0.1:2379", c.TLSCert, c.TLSKey, c.TLSClientCA
		}, []string{"--etcd-listen-client: ", "the client certificate of every user of the API opens etcd"}},
		"member without files": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) {
			embed(c)
			c.EtcdListenClient = "https://127.0.0.1:2379"
			c.EtcdListenCert, c.EtcdListenKey, c.EtcdListenClientCA = "/missing.crt", "/missing.key", "/missing-ca.crt"
		}, []string{"--etcd-listen-cert: read certificate", "--etcd-listen-client-ca: read CA certificates"}},
		"open data": {func(t *testing.T, c *config.Config, _ *securitycheck.Environment) {
			require.NoError(t, os.Chmod(c.DataDir, 0o755))
		}, []string{"--data-dir: mode 0755 of ", "chmod 700"}},
		"root": {func(_ *testing.T, _ *config.Config, env *securitycheck.Environment) { env.UserID = 0 }, []string{"user: the daemon runs as root"}},
		"open Docker": {func(t *testing.T, _ *config.Config, env *securitycheck.Environment) {
			require.NoError(t, os.Chmod(strings.TrimPrefix(env.DockerHost, "unix://"), 0o666))
		}, []string{"--docker-host: mode 0666 of ", "become root"}},
		"Docker by TCP": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) {
			c.DockerHost = "tcp://127.0.0.1:2375"
		}, []string{"--docker-host: every program that reaches tcp://127.0.0.1:2375"}},
		"root in games": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) { c.DockerUser = "0:0" }, []string{"--docker-user: games run as root"}},
		"processes":     {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) { c.Engine = config.EngineProcess }, []string{"--engine: games run as processes of the daemon's user", "--engine: games run as a user that can open the socket"}},
		"no Docker": {func(_ *testing.T, c *config.Config, env *securitycheck.Environment) {
			c.Engine, env.DockerHost = config.EngineAuto, "unix:///missing"
		}, []string{"--engine: games run as processes"}},
		"automatic Docker": {func(_ *testing.T, c *config.Config, _ *securitycheck.Environment) { c.Engine = config.EngineAuto }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := newStrong(t, ca)
			env, _ := newEnvironment(t)
			c.change(t, &cfg, &env)
			require.NoError(t, cfg.Validate())
			var lines []string
			for _, weakness := range securitycheck.Run(cfg, env) {
				lines = append(lines, weakness.String())
			}
			text := strings.Join(lines, "\n")
			settings := 0
			for _, want := range c.want {
				require.Contains(t, text, want)
				if strings.HasPrefix(want, "--") || strings.HasPrefix(want, "user: ") {
					settings++
				}
			}
			require.Len(t, lines, settings, "one line for each weakness:\n%s", text)
			require.NotContains(t, text, "secret\n")
		})
	}
}
