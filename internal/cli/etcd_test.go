package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// The command creates the password of the user, and prints neither it nor that of root.
func TestEtcdBootstrap(t *testing.T) {
	t.Parallel()
	endpoint, dir := etcdtest.Start(t).Endpoint(), t.TempDir()
	password, rootPassword := filepath.Join(dir, "password"), filepath.Join(dir, "root")
	require.NoError(t, os.WriteFile(rootPassword, []byte("root-secret\n"), 0o600))
	args := []string{"etcd", "bootstrap", "--etcd-endpoints", endpoint, "--etcd-prefix", "/eu", "--password-file", password}
	r := run(t, "", append(args, "--enable-auth")...)
	require.Equal(t, 2, r.code)
	require.Contains(t, r.err, "--enable-auth requires --root-password-file")
	require.NoFileExists(t, password)

	r = run(t, "", append(args, "--root-password-file", filepath.Join(dir, "missing"))...)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "write the password of root to it, with mode 0600")

	args = append(args, "--root-password-file", rootPassword, "--enable-auth")
	for _, want := range []string{"created role rtmanager\n", "user rtmanager has this password: unchanged\n"} {
		r = run(t, "", args...)
		r.requireCode(t, 0, args)
		require.Contains(t, r.out, want)
		secret, err := os.ReadFile(password)
		require.NoError(t, err)
		require.Greater(t, len(secret), 20)
		require.NotContains(t, r.out+r.err, strings.TrimSpace(string(secret)))
		require.NotContains(t, r.out+r.err, "root-secret")
		require.Contains(t, r.err, "without encryption")
	}
	require.NoError(t, os.Chmod(rootPassword, 0o644))
	r = run(t, "", args...)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "--root-password-file: "+rootPassword+": mode 0644")
}
