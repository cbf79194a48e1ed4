package cli_test

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// A daemon that waits for its etcd can be interrupted, and says no more than
// whoever did it knows.
func TestInterruptedStart(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for {
			connection, err := mute.Accept()
			if err != nil {
				return
			}
			defer func() { _ = connection.Close() }()
			interrupt()
		}
	}()
	got := commandLine{args: []string{
		"serve", "--listen", "127.0.0.1:0", "--etcd-endpoints", "http://" + mute.Addr().String(),
		"--etcd-dial-timeout", "1m", "--log-level", "error",
	}}.run(ctx)
	require.NoError(t, mute.Close())
	<-answered
	got.requireCode(t, 130, "serve")
	require.Empty(t, got.out)
	require.Empty(t, got.err)
}
