package daemon

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A peer whose link is down must not hold its stream for the 15 minutes that the kernel
// retransmits.
func TestAcceptedConnectionsDetectLostPeers(t *testing.T) {
	t.Parallel()
	listener, err := listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	client, err := new(net.Dialer).DialContext(context.Background(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	accepted, err := listener.Accept()
	require.NoError(t, err)
	defer accepted.Close()
	raw, err := accepted.(syscall.Conn).SyscallConn()
	require.NoError(t, err)
	option := func(level, name int) (value int) {
		require.NoError(t, raw.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), level, name) }))
		require.NoError(t, err)
		return value
	}
	require.Equal(t, 30*time.Second, time.Duration(option(syscall.IPPROTO_TCP, tcpUserTimeout))*time.Millisecond)
	require.Equal(t, 1, option(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE))
	idle, interval, count := option(syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE), option(syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL), option(syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT)
	require.LessOrEqual(t, idle+interval*count, 60, "seconds until an idle connection is closed")
}

func TestConnectionLimitsLeaveFilesToTheOthers(t *testing.T) {
	t.Parallel()
	for openFiles, expected := range map[uint64]connectionLimits{
		192:     {connections: 64, streams: 48},
		256:     {connections: 128, streams: 96},
		1024:    {connections: 768, streams: 576},
		65_536:  {connections: 49_152, streams: 20_000},
		1 << 63: {connections: 1 << 20, streams: 20_000},
	} {
		limits, err := newConnectionLimits(openFiles)
		require.NoError(t, err)
		require.Equal(t, expected, limits, "with %d open files", openFiles)
	}
	_, err := newConnectionLimits(191)
	require.ErrorContains(t, err, "ulimit -n")
}
