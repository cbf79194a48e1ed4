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
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/ports"
)

// runMainVariable is the environment variable that makes the test program run main.
const runMainVariable = "RTMANAGER_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMainVariable) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// waitTimeout bounds every wait of these tests. Normal waits are far shorter.
const waitTimeout = 30 * time.Second

// daemonProcess runs rtmanager serve in its own process. It keeps its directory and its
// address across restarts.
type daemonProcess struct {
	t      testing.TB
	dir    string
	listen string
	etcd   string // client URL of its etcd
	flags  []string
	cmd    *exec.Cmd
	client *httpclient.Client
}

// startDaemon starts a daemon without an engine.
func startDaemon(t *testing.T) *daemonProcess {
	t.Helper()
	return startDaemonWith(t, "--engine", "none")
}

func startDaemonWith(t testing.TB, flags ...string) *daemonProcess {
	t.Helper()
	if testing.Short() {
		t.Skip("needs daemon processes")
	}
	listen, err := unusedAddress()
	require.NoError(t, err)
	d := &daemonProcess{t: t, dir: t.TempDir(), listen: listen, flags: flags}
	d.start()
	client, err := httpclient.New("http://"+d.listen, httpclient.Config{MaxBackoff: 50 * time.Millisecond})
	require.NoError(t, err)
	d.client = client
	t.Cleanup(func() {
		require.NoError(t, client.Close())
		require.NoError(t, d.stop())
	})
	return d
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

var readyLine = regexp.MustCompile(`^ready api=http://(127\.0\.0\.1:\d+) etcd=(http://127\.0\.0\.1:\d+) pid=\d+ `)

// start runs the daemon and waits until it is ready.
func (d *daemonProcess) start() {
	d.t.Helper()
	program, err := os.Executable()
	require.NoError(d.t, err)
	d.cmd = exec.CommandContext(context.WithoutCancel(d.t.Context()), program, append([]string{
		"serve", "--data-dir", d.dir, "--listen", d.listen, "--etcd-listen-client", "http://127.0.0.1:0", "--log-level", "error",
	}, d.flags...)...)
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

// eventCollector receives all events of one watch.
type eventCollector struct {
	events chan ports.RuntimeEvent
	failed chan error
}

// watchAll watches all records until ctx ends, across all restarts. It returns when the
// watch has started.
func watchAll(ctx context.Context, t *testing.T, d *daemonProcess) *eventCollector {
	t.Helper()
	w := &eventCollector{events: make(chan ports.RuntimeEvent, 100_000), failed: make(chan error, 1)}
	go func() {
		for event, err := range d.client.Watch(ctx, ports.WatchOptions{}) {
			if err != nil {
				w.failed <- err
				return
			}
			w.events <- event
		}
	}()
	select {
	case first := <-w.events:
		require.Equal(t, ports.EventSynced, first.Type, "the store is empty at the start")
	case <-time.After(waitTimeout):
		require.Fail(t, "the watch has not started")
	}
	return w
}

// verify requires one event for each acknowledged write, in the order of each game.
func (w *eventCollector) verify(t *testing.T, writers []*gameWriter) {
	t.Helper()
	next := map[string]int{}
	missing := 0
	byGame := map[string]*gameWriter{}
	for _, writer := range writers {
		byGame[writer.gameID] = writer
		missing += len(writer.acknowledged)
	}
	deadline := time.After(waitTimeout)
	for missing > 0 {
		select {
		case event := <-w.events:
			if event.GameID == "" {
				continue
			}
			n, writer := next[event.GameID], byGame[event.GameID]
			require.Less(t, n, len(writer.acknowledged), "an event of %s beyond its last write: %+v", event.GameID, event)
			want := writer.acknowledged[n]
			require.Equal(t, want.Revision, event.Revision, "event %d of %s", n, event.GameID)
			require.Equal(t, want.Record, *event.After, "event %d of %s", n, event.GameID)
			next[event.GameID]++
			missing--
		case err := <-w.failed:
			require.NoError(t, err, "the watch must survive the kills")
		case <-deadline:
			require.Fail(t, "events are missing", "%d events", missing)
		}
	}
}
