package main

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The members of bench end when its process is killed, and remove their data.
func TestMembersEndWithAKilledBench(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	program, err := os.Executable()
	require.NoError(t, err)
	temporary := t.TempDir()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "bench", "--members", "3", "--row", "update-rate", "--records", "10", "--duration", "1m")
	cmd.Env = append(os.Environ(), runMainVariable+"=1", "TMPDIR="+temporary)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	hung := time.AfterFunc(2*waitTimeout, func() { _ = cmd.Process.Kill() })
	defer hung.Stop()
	var urls []string
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "update-rate …") {
		if _, list, isHeadline := strings.Cut(lines.Text(), "etcd at "); isHeadline {
			urls = strings.Split(list, ",")
		}
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // "signal: killed"
	require.Len(t, urls, 3)
	require.Eventually(t, func() bool {
		remaining, err := os.ReadDir(temporary)
		return err == nil && len(remaining) == 0
	}, waitTimeout, 20*time.Millisecond, "the members must remove their data")
	for _, url := range urls {
		require.Eventually(t, func() bool {
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err == nil {
				_ = conn.Close()
			}
			return err != nil
		}, waitTimeout, 20*time.Millisecond, "the member at %s must end", url)
	}
}
