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

// beDaemon names the variable that turns the test program into rtmanager.
const beDaemon = "RTMANAGER_TEST_BE_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(beDaemon) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of these tests; none gets near it.
const patience = 30 * time.Second

// daemonProcess is rtmanager serve as a process of its own, which keeps its
// directory and its address across restarts.
type daemonProcess struct {
	t      testing.TB
	dir    string
	listen string
	etcd   string // where its etcd is reached
	flags  []string
	cmd    *exec.Cmd
	client *httpclient.Client
}

// startDaemon starts a daemon that keeps records only.
func startDaemon(t *testing.T) *daemonProcess {
	t.Helper()
	return startDaemonWith(t, "--engine", "none")
}

func startDaemonWith(t testing.TB, flags ...string) *daemonProcess {
	t.Helper()
	listen, err := stableAddress()
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

// stableAddress returns an address that is free and stays so while the daemon
// is away: unlike port 0 it is not one that clients on this machine are given.
func stableAddress() (string, error) {
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

var readyLine = regexp.MustCompile(`^ready api=http://(127\.0\.0\.1:\d+) etcd=(http://127\.0\.0\.1:\d+) `)

// start runs the daemon and waits until it is ready.
func (d *daemonProcess) start() {
	d.t.Helper()
	program, err := os.Executable()
	require.NoError(d.t, err)
	d.cmd = exec.CommandContext(context.WithoutCancel(d.t.Context()), program, append([]string{
		"serve", "--data-dir", d.dir, "--listen", d.listen, "--etcd-listen-client", "http://127.0.0.1:0", "--log-level", "error",
	}, d.flags...)...)
	d.cmd.Env = append(os.Environ(), beDaemon+"=1")
	d.cmd.Stderr = os.Stderr
	stdout, err := d.cmd.StdoutPipe()
	require.NoError(d.t, err)
	require.NoError(d.t, d.cmd.Start())
	hung := time.AfterFunc(patience, func() { _ = d.cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	hung.Stop()
	require.NoError(d.t, err, "the daemon must say that it is ready")
	found := readyLine.FindStringSubmatch(line)
	require.NotNil(d.t, found, "ready line %q", line)
	require.Equal(d.t, d.listen, found[1])
	d.etcd = found[2]
	go func() { _, _ = io.Copy(io.Discard, stdout) }() // ends with the process
}

// killAfter sends SIGKILL once the delay has passed.
func (d *daemonProcess) killAfter(delay time.Duration) {
	d.t.Helper()
	<-time.After(delay)
	require.NoError(d.t, d.cmd.Process.Kill())
	_ = d.cmd.Wait() // "signal: killed"
}

// stop ends the daemon as an operator does.
func (d *daemonProcess) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return d.cmd.Wait()
}

// awaitAcknowledged waits until every writer has been told of so many more
// writes than at the time of the call.
func (d *daemonProcess) awaitAcknowledged(lives []*gameLife, more int64) {
	d.t.Helper()
	before := make([]int64, len(lives))
	for i, life := range lives {
		before[i] = life.count.Load()
	}
	require.Eventually(d.t, func() bool {
		for i, life := range lives {
			if life.count.Load() < before[i]+more {
				return false
			}
		}
		return true
	}, patience, time.Millisecond, "writers must go on after a kill")
}

// allEvents is what one watch has told from the first event on.
type allEvents struct {
	events chan ports.RuntimeEvent
	failed chan error
}

// watchAll watches everything until ctx ends, over all restarts. It returns once
// the watch stands.
func watchAll(ctx context.Context, t *testing.T, d *daemonProcess) *allEvents {
	t.Helper()
	w := &allEvents{events: make(chan ports.RuntimeEvent, 100_000), failed: make(chan error, 1)}
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
		require.Equal(t, ports.EventSynced, first.Type, "the store is empty at first")
	case <-time.After(patience):
		require.Fail(t, "the watch has not begun")
	}
	return w
}

// verify wants each acknowledged write as one event, in the order of each game.
func (w *allEvents) verify(t *testing.T, lives []*gameLife) {
	t.Helper()
	next := map[string]int{}
	left := 0
	byGame := map[string]*gameLife{}
	for _, life := range lives {
		byGame[life.gameID] = life
		left += len(life.acknowledged)
	}
	deadline := time.After(patience)
	for left > 0 {
		select {
		case event := <-w.events:
			if event.GameID == "" {
				continue
			}
			n, life := next[event.GameID], byGame[event.GameID]
			require.Less(t, n, len(life.acknowledged), "an event of %s beyond its last write: %+v", event.GameID, event)
			want := life.acknowledged[n]
			require.Equal(t, want.Revision, event.Revision, "event %d of %s", n, event.GameID)
			require.Equal(t, want.Record, *event.After, "event %d of %s", n, event.GameID)
			next[event.GameID]++
			left--
		case err := <-w.failed:
			require.NoError(t, err, "the watch must survive the kills")
		case <-deadline:
			require.Fail(t, "the watch has not told everything", "%d events are missing", left)
		}
	}
}
