package cli_test

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/certtest"
)

// client is a user with a directory for the client configuration.
type client struct {
	t   *testing.T
	env map[string]string
}

func newClient(t *testing.T) client {
	t.Helper()
	return client{t, map[string]string{"XDG_CONFIG_HOME": t.TempDir(), "RTMANAGER_SERVER": ""}}
}

func (c client) run(args ...string) result {
	c.t.Helper()
	return commandLine{args: args, env: c.env}.run(c.t.Context())
}

func (c client) runOK(args ...string) string {
	c.t.Helper()
	done := c.run(args...)
	done.requireCode(c.t, 0, args)
	return done.out
}

func (c client) configFile() string {
	return filepath.Join(c.env["XDG_CONFIG_HOME"], "rtmanager", "config.yaml")
}

func TestContexts(t *testing.T) {
	t.Parallel()
	ada := newClient(t)
	require.Empty(t, ada.runOK("context"))
	require.Equal(t, "context prod set\n", ada.runOK("context", "set", "prod", "--server", "https://prod:1", "--cacert", "/ca.pem"))
	set := commandLine{args: []string{"context", "set", "ci", "--server", "https://ci:1", "--token-stdin"}, stdin: "rtm_secret\n", env: ada.env}.run(t.Context())
	set.requireCode(t, 0, "context set")
	require.NotContains(t, set.out+set.err, "rtm_secret")
	require.Equal(t, `NAME  CURRENT  SERVER          CREDENTIALS
ci    -        https://ci:1    token
prod  yes      https://prod:1  none
`, ada.runOK("context", "list"))
	require.Equal(t, "current context is ci\n", ada.runOK("context", "use", "ci"))
	for _, format := range []string{"table", "json", "yaml"} {
		shown := ada.runOK("context", "show", "-o", format)
		require.Contains(t, shown, "REDACTED")
		require.NotContains(t, shown+ada.runOK("context", "-o", format), "rtm_secret")
	}

	// The token is for the former server.
	ada.runOK("context", "set", "ci", "--server", "https://other:1")
	require.Contains(t, ada.runOK("context", "show", "ci"), "Credentials:  none")
	content, err := os.ReadFile(ada.configFile())
	require.NoError(t, err)
	require.NotContains(t, string(content), "rtm_secret")

	require.Equal(t, "context ci deleted\n", ada.runOK("context", "delete", "ci"))
	for _, args := range [][]string{
		{"context", "delete", "ci"}, {"context", "use", "ci"}, {"context", "show"}, {"context", "show", "ci"}, {"context", "set", "a b"},
		{"context", "set", "x", "--server", "ftp://x"}, {"context", "set", "x", "--cert", "c"}, {"context", "set"}, {"context", "ci"},
		{"context", "set", "x", "--token-stdin"}, {"list", "--context", "ci"}, {"list", "--context", "prod", "--server", "https://other:1"},
	} {
		ada.run(args...).requireCode(t, 2, args)
	}
}

func TestAnExposedConfigurationIsRejected(t *testing.T) {
	t.Parallel()
	ada := newClient(t)
	ada.runOK("context", "set", "prod", "--server", "https://prod:1")
	require.NoError(t, os.Chmod(ada.configFile(), 0o644))
	done := ada.run("list")
	done.requireCode(t, 2, "list")
	require.Contains(t, done.err, "chmod 600")
}

// secureServer is an https server that records the credentials of requests.
type secureServer struct {
	*httptest.Server

	mu     sync.Mutex
	tokens []string
	names  []string
}

func newSecureServer(t *testing.T, api http.Handler, authority *certtest.Authority) *secureServer {
	t.Helper()
	s := &secureServer{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.tokens = append(s.tokens, r.Header.Get("Authorization"))
		for _, certificate := range r.TLS.PeerCertificates {
			s.names = append(s.names, certificate.Subject.CommonName)
		}
		s.mu.Unlock()
		r.Host = "localhost" // the API of the tests accepts no other
		api.ServeHTTP(w, r)
	}))
	s.TLS = &tls.Config{
		Certificates: []tls.Certificate{authority.Issue(t, pkix.Name{CommonName: "server"}).TLS},
		ClientCAs:    authority.Pool(), ClientAuth: tls.VerifyClientCertIfGiven,
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func TestCredentialsOfAConnection(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(t, runningRecord("game-1"))
	authority := certtest.NewAuthority(t, "test")
	server := newSecureServer(t, api, authority)
	ca := authority.Write(t, t.TempDir())
	certFile, keyFile := authority.Issue(t, pkix.Name{CommonName: "ada"}).Write(t, t.TempDir())
	ada := newClient(t)

	unverified := ada.run("list", "--server", server.URL)
	unverified.requireCode(t, 5, "list without a CA")
	require.Contains(t, unverified.err, "hint: --cacert, RTMANAGER_CACERT or a context selects the CA certificates")

	ada.runOK("context", "set", "test", "--server", server.URL, "--cacert", ca, "--token-file", writeFile(t, "token", "of-context\n"))
	require.Contains(t, ada.runOK("list"), "game-1")
	ada.env["RTMANAGER_TOKEN"] = "of-variable"
	ada.runOK("list")
	ada.runOK("list", "--token-file", writeFile(t, "token", "of-flag\n"))
	require.Equal(t, []string{"Bearer of-context", "Bearer of-variable", "Bearer of-flag"}, server.tokens)
	require.Empty(t, server.names)

	ada.runOK("context", "set", "test", "--cert", certFile, "--key", keyFile)
	ada.runOK("list")
	require.Equal(t, []string{"ada"}, server.names)
	require.NoError(t, os.Chmod(keyFile, 0o644))
	exposed := ada.run("list")
	exposed.requireCode(t, 1, "list with a key that others can read")
	require.Contains(t, exposed.err, "chmod 600")

	ada.env["RTMANAGER_TOKEN"] = "two words"
	invalid := ada.run("list")
	invalid.requireCode(t, 2, "list")
	require.NotContains(t, invalid.err, "two words")
}

func TestATokenNeedsEncryption(t *testing.T) {
	t.Parallel()
	ada := newClient(t)
	ada.env["RTMANAGER_TOKEN"] = "rtm_secret"
	for _, args := range [][]string{{"list"}, {"watch"}, {"start", "game-1", "--image", "i"}, {"version"}} {
		done := ada.run(append(args, "--server", "http://192.0.2.1:8080")...)
		done.requireCode(t, 1, args)
		require.Contains(t, done.err, "without encryption")
		require.Contains(t, done.err, "hint: --insecure-token")
		require.NotContains(t, done.err, "rtm_secret")
	}
}
