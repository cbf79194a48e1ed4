package cli_test

import (
	"context"
	"net"
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
