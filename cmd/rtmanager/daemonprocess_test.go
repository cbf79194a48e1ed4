package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/runtime"
)

// daemonProcess runs rtmanager serve in its own process. It keeps its directory and its
// address across restarts.
type daemonProcess struct {
	t      testing.TB
	dir    string
	listen string
	etcd   string // client URL of its etcd
	flags  []string
	// openFiles is its limit of open files, 0 for that of the test.
	openFiles int
	cmd       *exec.Cmd
	client    *httpclient.Client
}

// startDaemon starts a daemon without an engine.
func startDaemon(t *testing.T) *daemonProcess {
	t.Helper()
	return startDaemonWith(t, "--engine", "none")
}

// startDaemonWith starts a daemon with the flags, and stops it when the test ends. It skips
// the test in short mode.
func startDaemonWith(t testing.TB, flags ...string) *daemonProcess {
	t.Helper()
	if testing.Short() {
		t.Skip("needs daemon processes")
	}
	d := &daemonProcess{t: t, flags: flags}
	d.startFirst()
	return d
}

// startFirst starts the daemon on a new directory and address, and stops it when the test
// ends.
func (d *daemonProcess) startFirst() {
	d.t.Helper()
	var err error
	d.listen, err = unusedAddress()
	require.NoError(d.t, err)
	if d.dir == "" {
		d.dir = d.t.TempDir()
	}
	d.start()
	d.client, err = httpclient.New("http://"+d.listen, httpclient.Config{MaxBackoff: 50 * time.Millisecond})
	require.NoError(d.t, err)
	d.t.Cleanup(func() {
		require.NoError(d.t, d.client.Close())
		require.NoError(d.t, d.stop())
	})
}

// unusedAddress returns a free address that stays free while the daemon is not running:
// unlike with port 0, the kernel does not assign it to a client.
func unusedAddress() (string, error) {
	for {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", err
		}
		return listener.Addr().String(), listener.Close()
	}
}

// readyLine matches the ready line of a daemon with an embedded etcd.
var readyLine = regexp.MustCompile(`^ready api=https?://(127\.0\.0\.1:\d+) etcd=(http://127\.0\.0\.1:\d+) pid=\d+ `)

// start runs the daemon and waits until it is ready.
func (d *daemonProcess) start() {
	d.t.Helper()
	program, err := os.Executable()
	require.NoError(d.t, err)
	command := []string{program}
	if d.openFiles > 0 {
		command = []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, d.openFiles), program}
	}
	d.cmd = exec.CommandContext(context.WithoutCancel(d.t.Context()), command[0], slices.Concat(command[1:], []string{
		"serve", "--data-dir", d.dir, "--listen", d.listen, "--etcd-listen-client", "http://127.0.0.1:0", "--log-level", "error",
	}, d.flags)...)
	d.cmd.Env = append(os.Environ(), runMainVariable+"=1")
	d.cmd.Stderr = os.Stderr
	stdout, err := d.cmd.StdoutPipe()
	require.NoError(d.t, err)
	require.NoError(d.t, d.cmd.Start())
	hung := time.AfterFunc(waitTimeout, func() { _ = d.cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	hung.Stop()
	require.NoError(d.t, err, "the daemon must print the ready line")
	found := readyLine.FindStringSubmatch(line)
	require.NotNil(d.t, found, "ready line %q", line)
	require.Equal(d.t, d.listen, found[1])
	d.etcd = found[2]
	go func() { _, _ = io.Copy(io.Discard, stdout) }() // ends with the process
}

// killAfter sends SIGKILL after the delay.
func (d *daemonProcess) killAfter(delay time.Duration) {
	d.t.Helper()
	<-time.After(delay)
	require.NoError(d.t, d.cmd.Process.Kill())
	_ = d.cmd.Wait() // "signal: killed"
}

// stop sends SIGTERM and waits until the daemon has exited.
func (d *daemonProcess) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return d.cmd.Wait()
}

// waitForWrites waits until each writer has received the given number of further
// acknowledgements.
func (d *daemonProcess) waitForWrites(writers []*gameWriter, more int64) {
	d.t.Helper()
	before := make([]int64, len(writers))
	for i, writer := range writers {
		before[i] = writer.count.Load()
	}
	require.Eventually(d.t, func() bool {
		for i, writer := range writers {
			if writer.count.Load() < before[i]+more {
				return false
			}
		}
		return true
	}, waitTimeout, time.Millisecond, "writers must continue after a kill")
}

// put stores a record of the game.
func (d *daemonProcess) put(game string) error {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return d.client.Upsert(d.t.Context(), runtime.RuntimeRecord{
		GameID: game, Status: runtime.StatusRunning, CurrentContainerID: "c", CreatedAt: at, LastOpAt: at, StartedAt: &at,
	})
}
