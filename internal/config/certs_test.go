package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
)

// certsDir returns a directory with empty files of the names.
func certsDir(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	return dir
}

func bundle(t *testing.T) string {
	t.Helper()
	return certsDir(t, "tls.crt", "tls.key", "ca.crt", "etcd.crt", "etcd.key", "etcd-ca.crt")
}

func TestCertsSetTheFilesOfTheAPI(t *testing.T) {
	t.Parallel()
	dir := bundle(t)
	c, err := load(t, nil, "--certs", dir, "--listen", "10.0.0.1:8080")
	require.NoError(t, err)
	require.Equal(t, config.Security{
		TLSCert: filepath.Join(dir, "tls.crt"), TLSKey: filepath.Join(dir, "tls.key"), TLSClientCA: filepath.Join(dir, "ca.crt"), Auth: config.AuthAuto,
	}, c.Security)
	require.Equal(t, config.EtcdListen{}, c.EtcdListen, "a member on loopback needs no certificate")
}

func TestCertsSetTheFilesOfAMember(t *testing.T) {
	t.Parallel()
	dir := bundle(t)
	cert, key, ca := filepath.Join(dir, "etcd.crt"), filepath.Join(dir, "etcd.key"), filepath.Join(dir, "etcd-ca.crt")
	c, err := load(t, nil, "--certs", dir, "--etcd-listen-client", "https://10.0.0.1:2379", "--etcd-listen-peer", "https://10.0.0.1:2380")
	require.NoError(t, err)
	require.Equal(t, [...]string{cert, key, ca, cert, key, ca},
		[...]string{c.EtcdListenCert, c.EtcdListenKey, c.EtcdListenClientCA, c.EtcdPeerCert, c.EtcdPeerKey, c.EtcdPeerCA})

	c, err = load(t, map[string]string{"RTMANAGER_CERTS": dir}, "--etcd-listen-peer", "https://10.0.0.1:2380")
	require.NoError(t, err)
	require.Empty(t, c.EtcdListenCert+c.EtcdListenClientCA)
	require.Equal(t, cert, c.EtcdPeerCert)
}

func TestCertsSetTheFilesForAnExternalEtcd(t *testing.T) {
	t.Parallel()
	dir := bundle(t)
	c, err := load(t, nil, "--certs", dir, "--etcd-endpoints", "https://10.0.0.1:2379")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "etcd.crt"), c.EtcdCert)
	require.Equal(t, filepath.Join(dir, "etcd-ca.crt"), c.EtcdCACert)
	c, err = load(t, nil, "--certs", dir, "--etcd-endpoints", "http://10.0.0.1:2379")
	require.NoError(t, err)
	require.Empty(t, c.EtcdCert)

	dir = certsDir(t, "tls.crt", "tls.key", "ca.crt")
	c, err = load(t, nil, "--certs", dir, "--etcd-endpoints", "https://10.0.0.1:2379", "--etcd-cacert", "own")
	require.NoError(t, err)
	require.Equal(t, "own", c.EtcdCACert)
	require.Empty(t, c.EtcdCert)
}

func TestFlagsOfFilesTakePrecedenceOverCerts(t *testing.T) {
	t.Parallel()
	dir := certsDir(t, "ca.crt")
	c, err := load(t, nil, "--certs", dir, "--tls-cert", "own.crt", "--tls-key", "own.key")
	require.NoError(t, err)
	require.Equal(t, "own.crt", c.TLSCert)
	require.Equal(t, filepath.Join(dir, "ca.crt"), c.TLSClientCA)
	_, err = load(t, nil, "--certs", bundle(t), "--tls-cert", "own.crt")
	require.ErrorContains(t, err, "--tls-cert and --tls-key must be set together", "the key of another certificate is not used")
}

func TestInvalidCerts(t *testing.T) {
	t.Parallel()
	dir := certsDir(t, "tls.crt", "ca.crt", "etcd.crt")
	for want, args := range map[string][]string{
		"no such file or directory; `rtmanager cert issue` creates": {"--certs", filepath.Join(dir, "absent")},
		"is not a directory":                        {"--certs", filepath.Join(dir, "ca.crt")},
		dir + " has no tls.key; copy":               {"--certs", dir},
		dir + " has no etcd.key, etcd-ca.crt; copy": {"--certs", dir, "--tls-cert", "own.crt", "--tls-key", "own.key", "--etcd-listen-peer", "https://10.0.0.1:2380"},
	} {
		_, err := load(t, nil, args...)
		require.ErrorContains(t, err, want)
	}
}
