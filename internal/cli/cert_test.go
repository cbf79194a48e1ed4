package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A directory is created, used, renewed, and its authority replaced.
func TestCertificateAuthority(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	cert := func(code int, args ...string) result {
		t.Helper()
		r := run(t, "", append([]string{"cert", args[0], "--dir", dir}, args[1:]...)...)
		r.requireCode(t, code, args)
		require.NotContains(t, r.out+r.err, "PRIVATE KEY")
		return r
	}
	r := cert(1, "list")
	require.Contains(t, r.err, "has no certificate authority")
	require.Contains(t, r.err, "rtmanager cert init --dir DIR")

	r = cert(0, "init")
	require.Contains(t, r.out, "users/admin")
	require.Contains(t, r.out, "2027-03-02")
	require.FileExists(t, filepath.Join(dir, "users", "admin", "tls.key"))
	require.Contains(t, cert(1, "init").err, "is not empty")

	r = cert(0, "issue", "--node", "eu/eu-1", "--host", "eu-1.example,10.0.0.7", "-o", "wide")
	require.Contains(t, r.out, "CN=eu/eu-1,O=rtmanager:nodes")
	r = cert(1, "issue", "--node", "eu/eu-1", "--host", "eu-1.example")
	require.Contains(t, r.err, "a certificate of this name exists")
	require.Contains(t, r.err, "rtmanager cert renew")
	cert(0, "issue", "--user", "ada", "--group", "ops", "--validity", "240h")
	cert(0, "issue", "--etcd-client", "backup")

	r = cert(0, "renew")
	require.Contains(t, r.out, "users/ada", "it expires within 30 days")
	require.Contains(t, r.err, "1 certificate renewed")
	cert(0, "rotate-ca", "--ca", "api")
	require.Contains(t, cert(1, "rotate-ca", "--ca", "api").err, "is already being replaced")
	require.Contains(t, cert(0, "list").out, "(renew: its CA is being replaced)")
	require.Contains(t, cert(1, "rotate-ca", "--finish").err, "renew them first")
	require.Contains(t, cert(0, "renew").err, "3 certificates renewed")
	cert(0, "rotate-ca", "--finish")
	require.NotContains(t, cert(0, "list", "-o", "json").out, "needs_renewal")
}

func TestInvalidCertificateRequests(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	run(t, "", "cert", "init", "--dir", dir).requireCode(t, 0, "init")
	for want, args := range map[string][]string{
		`user "../x" has other characters`:            {"--user", "../x"},
		"--group requires --user":                     {"--etcd-client", "x", "--group", "ops"},
		"issue requires --host with --node":           {"--node", "eu/n1"},
		"is not REGION/NODE":                          {"--node", "eu", "--host", "a"},
		`host "a:1" is neither`:                       {"--node", "eu/n1", "--host", "a:1"},
		"issue accepts only one of --node and --user": {"--node", "eu/n1", "--host", "a", "--user", "ada"},
		"--user is empty":                             {"--user", ""},
		"must be positive":                            {"--user", "ada", "--validity", "-1s"},
	} {
		r := run(t, "", append([]string{"cert", "issue", "--dir", dir}, args...)...)
		require.NotZero(t, r.code, "%q", args)
		require.Contains(t, r.err, want)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "users"))
	require.NoError(t, err)
	require.Len(t, entries, 1)
}
