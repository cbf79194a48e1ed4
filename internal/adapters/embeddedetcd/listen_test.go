package embeddedetcd_test

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/testkit/certtest"
)

// put writes a key as a client such as etcdctl.
func put(t *testing.T, endpoint string, config *tls.Config) error {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, TLS: config, Logger: zap.NewNop(), DialTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = client.Put(ctx, "key", "value")
	return err
}

// socketConfig returns a member that listens on sockets only.
func socketConfig(t *testing.T) (cfg embeddedetcd.Config, dir string) {
	t.Helper()
	cfg = config(t.TempDir())
	dir = filepath.Join(cfg.DataDir, "run")
	cfg.ListenClientURL, cfg.ListenPeerURL = "unix://"+dir+"/etcd.sock", "unix://"+dir+"/peer.sock"
	return cfg, dir
}

// Clients use the socket of a member, and other users of the machine cannot open it.
func TestSockets(t *testing.T) {
	t.Parallel()
	cfg, dir := socketConfig(t)
	member := start(t, cfg)
	require.Equal(t, cfg.ListenClientURL, member.ClientURL())
	require.NoError(t, put(t, member.ClientURL(), nil))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	for _, name := range []string{"etcd.sock", "peer.sock"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.ModeSocket|0o600, info.Mode(), name)
	}
	status, err := member.Client().Status(t.Context(), "")
	require.NoError(t, err)
	require.NoError(t, member.Close())

	other := config(cfg.DataDir)
	member = start(t, other)
	require.True(t, strings.HasPrefix(member.ClientURL(), "http://127.0.0.1:"), "a member may change to a port")
	changed, err := member.Client().Status(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, status.Header.MemberId, changed.Header.MemberId)
	require.NoError(t, member.Close())
	require.NoError(t, put(t, start(t, cfg).ClientURL(), nil), "and return to a socket")
}

// The socket of a killed member is replaced. Other files, and sockets in use, are not.
func TestFilesInThePlaceOfASocket(t *testing.T) {
	t.Parallel()
	cfg, dir := socketConfig(t)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	path := filepath.Join(dir, "etcd.sock")
	require.NoError(t, os.WriteFile(path, []byte("data"), 0o600))
	err := startError(t, cfg)
	requireField(t, err, embeddedetcd.FieldListenClientURL)
	require.ErrorContains(t, err, path+": the file is not a socket")
	require.FileExists(t, path)
	require.NoError(t, os.Remove(path))

	used, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	require.ErrorContains(t, startError(t, cfg), "another process listens there")
	used.SetUnlinkOnClose(false)
	require.NoError(t, used.Close())
	require.NoError(t, put(t, start(t, cfg).ClientURL(), nil))

	cfg = config(t.TempDir())
	cfg.ListenPeerURL = "unix:///" + strings.Repeat("d", 120)
	requireField(t, startError(t, cfg), embeddedetcd.FieldListenPeerURL)
}

// Both listeners require a certificate of their authority. A certificate of the API, which
// every user has, does not open them.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	ca, api := certtest.NewAuthority(t, "etcd"), certtest.NewAuthority(t, "api")
	dir := t.TempDir()
	name := pkix.Name{CommonName: "member"}
	certFile, keyFile := ca.Issue(t, name).Write(t, dir)
	files := embeddedetcd.TLSFiles{Cert: certFile, Key: keyFile, CA: ca.Write(t, dir)}
	cfg := config(t.TempDir())
	cfg.ListenClientURL, cfg.ListenPeerURL = "https://0.0.0.0:0", "https://127.0.0.1:0"
	cfg.ClientTLS, cfg.PeerTLS = files, files
	member := start(t, cfg)
	u, err := url.Parse(member.ClientURL())
	require.NoError(t, err)
	require.Equal(t, "https", u.Scheme)
	endpoint := "https://127.0.0.1:" + u.Port()
	withCert := func(leaf certtest.Leaf) *tls.Config {
		return &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{leaf.TLS}}
	}
	require.NoError(t, put(t, endpoint, withCert(ca.Issue(t, name))))
	for reason, config := range map[string]*tls.Config{
		"no certificate":                  {RootCAs: ca.Pool()},
		"a certificate of the API":        withCert(api.Issue(t, name)),
		"an expired certificate":          withCert(ca.Issue(t, name, certtest.Expired)),
		"a certificate that is not valid": withCert(ca.Issue(t, name, certtest.NotYetValid)),
	} {
		require.Error(t, put(t, endpoint, config), reason)
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		_, err := client.Get(onlyMember(t, member).PeerURLs[0] + "/members") //nolint:bodyclose // there is no response
		require.ErrorContains(t, err, "tls: ", "%s at the listener of peers", reason)
	}
	require.Error(t, put(t, strings.Replace(endpoint, "https:", "http:", 1), nil), "http")

	cfg = config(t.TempDir())
	cfg.ListenClientURL, cfg.ClientTLS = "https://0.0.0.0:0", embeddedetcd.TLSFiles{Cert: certFile, Key: keyFile}
	require.ErrorContains(t, startError(t, cfg), "requires https and the authorities of client certificates")
}
