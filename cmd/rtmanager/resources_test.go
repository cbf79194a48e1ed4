package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// More idle clients than the daemon may have open files get a response, and do not take
// the files that etcd needs.
func TestClientsDoNotUseUpOpenFiles(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a daemon process")
	}
	d := &daemonProcess{t: t, flags: []string{"--engine", "none"}, openFiles: 256}
	d.startFirst()
	counts := map[int]int{}
	var open []net.Conn
	for range 296 {
		conn, status := d.watch()
		counts[status]++
		open = append(open, conn)
	}
	require.Equal(t, 96, counts[http.StatusOK], "watches, of %v", counts)
	require.Equal(t, 296-96, counts[http.StatusTooManyRequests]+counts[http.StatusServiceUnavailable], "rejected watches, of %v", counts)
	health, err := http.Get("http://" + d.listen + "/readyz")
	require.NoError(t, err)
	require.NoError(t, health.Body.Close())
	require.Equal(t, http.StatusOK, health.StatusCode)

	for _, conn := range open {
		require.NoError(t, conn.Close())
	}
	require.Eventually(t, func() bool {
		conn, status := d.watch()
		return conn.Close() == nil && status == http.StatusOK
	}, waitTimeout, waitTimeout/100)
	require.NoError(t, d.cmd.Process.Signal(syscall.Signal(0)), "the daemon runs")
}

// watch opens a watch stream on its own connection and returns its status, 0 if the
// daemon closed the connection.
func (d *daemonProcess) watch() (net.Conn, int) {
	d.t.Helper()
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", d.listen)
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "GET /v1/watch HTTP/1.1\r\nHost: %s\r\nAccept: application/x-ndjson\r\n\r\n", d.listen)
	require.NoError(d.t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil) //nolint:bodyclose // the connection stays open until the test ends
	if err != nil {
		return conn, 0
	}
	return conn, response.StatusCode
}

// A hangup ends the daemon as SIGTERM does: streams end with a reason, and it exits with 0.
func TestHangupDrains(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	watch, err := http.Get("http://" + d.listen + "/v1/watch")
	require.NoError(t, err)
	defer watch.Body.Close()
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGHUP))
	var last string
	for lines := bufio.NewScanner(watch.Body); lines.Scan(); {
		if lines.Text() != "" {
			last = lines.Text()
		}
	}
	require.Contains(t, last, "shutting down")
	require.NoError(t, d.cmd.Wait())
	d.start() // the cleanup of the test stops it
}
