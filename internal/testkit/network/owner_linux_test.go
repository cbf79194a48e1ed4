package network

import (
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOwnerOfASocket(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	client, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	addressOf := func(addr net.Addr) *net.TCPAddr {
		tcp, isTCP := addr.(*net.TCPAddr)
		require.True(t, isTCP)
		return tcp
	}
	local, remote := addressOf(client.LocalAddr()), addressOf(client.RemoteAddr())
	inode := socketInode(local, remote)
	require.NotEmpty(t, inode)
	require.True(t, ownsSocket(os.Getpid(), inode))
	require.False(t, ownsSocket(os.Getppid(), inode))
	require.NoError(t, client.Close())
	closed := *local
	closed.Port++
	require.Empty(t, socketInode(&closed, remote), "no such socket")
}

func BenchmarkOwnerOfASocket(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer func() { _ = listener.Close() }()
	client, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(b, err)
	defer func() { _ = client.Close() }()
	local, _ := client.LocalAddr().(*net.TCPAddr)
	remote, _ := client.RemoteAddr().(*net.TCPAddr)
	for b.Loop() {
		require.NotEmpty(b, socketInode(local, remote))
	}
}
