package cli_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A daemon that waits for its etcd can be interrupted, and then prints nothing.
func TestInterruptedStart(t *testing.T) {
	t.Parallel()
	hangingEtcd, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	acceptDone := make(chan struct{})
	go func() {
		defer close(acceptDone)
		for {
			connection, err := hangingEtcd.Accept()
			if err != nil {
				return
			}
			defer func() { _ = connection.Close() }()
			interrupt()
		}
	}()
	got := commandLine{args: []string{
		"serve", "--listen", "127.0.0.1:0", "--etcd-endpoints", "http://" + hangingEtcd.Addr().String(),
		"--etcd-dial-timeout", "1m", "--log-level", "error",
	}}.run(ctx)
	require.NoError(t, hangingEtcd.Close())
	<-acceptDone
	got.requireCode(t, 130, "serve")
	require.Empty(t, got.out)
	require.Empty(t, got.err)
}

// The check starts nothing, and its exit code reports whether there is a weakness.
func TestCheckSecurity(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	r := run(t, "", "serve", "--check-security", "--data-dir", dir)
	r.requireCode(t, 1, "the defaults")
	require.Contains(t, r.out, "--auth: every user and every game of this machine can use the API")
	require.Regexp(t, `serve: the settings have \d+ weaknesses`, r.err)
	require.NoDirExists(t, dir)
	r = run(t, "", "serve", "--check-security", "--data-dir", dir, "--listen", "0.0.0.0:8080")
	require.Equal(t, 2, r.code, "invalid settings: %s", r.err)
}
