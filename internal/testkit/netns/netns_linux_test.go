package netns_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/netns"
)

// echoVariable makes this program serve an echo at the address.
const echoVariable = "NETNS_ECHO"

func TestMain(m *testing.M) {
	if address, isServer := os.LookupEnv(echoVariable); isServer {
		serveEcho(address)
		return
	}
	os.Exit(m.Run())
}

func serveEcho(address string) {
	listener, err := net.Listen("tcp", address)
	fmt.Println(err)
	for err == nil {
		var conn net.Conn
		if conn, err = listener.Accept(); err == nil {
			go func() {
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					fmt.Fprintln(conn, lines.Text())
				}
			}()
		}
	}
}

func TestHosts(t *testing.T) {
	bridge, err := netns.NewBridge()
	if err != nil {
		t.Skip("NOT TESTED in network namespaces: ", err)
	}
	t.Cleanup(func() { require.NoError(t, bridge.Close()) })
	host, err := bridge.AddHost()
	require.NoError(t, err)
	other, err := bridge.AddHost()
	require.NoError(t, err)
	require.NotEqual(t, host.Addr, other.Addr)

	server := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very program
	server.Env = append(os.Environ(), echoVariable+"="+host.Addr+":7000")
	output, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, host.Start(server))
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	ready, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "<nil>\n", ready, "the address is that of the host")

	conn, err := net.Dial("tcp", host.Addr+":7000")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	responses := bufio.NewReader(conn)
	echo := func(text string) {
		_, err := fmt.Fprintln(conn, text)
		require.NoError(t, err)
	}
	requireResponse := func(text string) {
		t.Helper()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
		got, err := responses.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, text+"\n", got)
	}
	echo("before")
	requireResponse("before")
	for _, direction := range []string{netns.In, netns.Out} {
		require.NoError(t, host.Drop(1, direction))
		echo("during " + direction)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
		_, err = responses.ReadString('\n')
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, direction)
		require.NoError(t, host.Repair())
		requireResponse("during " + direction)
	}
	require.NoError(t, host.Drop(0.2, netns.In, netns.Out))
	for i := range 50 {
		echo(fmt.Sprint(i))
		requireResponse(fmt.Sprint(i))
	}
}

// startEcho starts a server at the address and returns the error with which it listens.
func startEcho(t *testing.T, address string, start func(*exec.Cmd) error) string {
	t.Helper()
	server := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very program
	server.Env = append(os.Environ(), echoVariable+"="+address)
	output, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, start(server))
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	listened, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	return listened
}

func TestHostsOfTheNextBridge(t *testing.T) {
	for range 2 {
		bridge, err := netns.NewBridge()
		if err != nil {
			t.Skip("NOT TESTED in network namespaces: ", err)
		}
		host, err := bridge.AddHost()
		require.NoError(t, err)
		require.Equal(t, "<nil>\n", startEcho(t, host.Addr+":7000", host.Start))
		require.NoError(t, bridge.Close())
	}
}
