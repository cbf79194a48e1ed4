package embeddedetcd_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
)

// memberSettings is the environment variable that makes the test program a process of a member with
// these settings, in JSON.
const memberSettings = "EMBEDDEDETCD_MEMBER"

// processSettings are the settings of a member in a process of its own.
type processSettings struct {
	Dir, Client, Peer, Name string
	Init                    bool
	Join                    []string
}

func (s processSettings) config() embeddedetcd.Config {
	return embeddedetcd.Config{
		DataDir: s.Dir, ListenClientURL: s.Client, ListenPeerURL: s.Peer,
		Cluster: &embeddedetcd.Cluster{Name: s.Name, Init: s.Init, Join: s.Join},
	}
}

// runMember runs a member until it is killed. It prints a line once the member is ready.
func runMember(text string) {
	var settings processSettings
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	member, err := embeddedetcd.Start(context.Background(), settings.config())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {
	case <-member.Ready():
		fmt.Println("ready")
	case err := <-member.Err():
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, <-member.Err())
	os.Exit(1)
}

// memberProcess is a process of a member.
type memberProcess struct {
	*host
	cmd    *exec.Cmd
	ready  chan bool    // receives whether the member became ready
	stderr bytes.Buffer // may be read after kill
}

// startProcess starts the member of the host in a process of its own.
func (h *host) startProcess(t *testing.T) *memberProcess {
	t.Helper()
	settings, err := json.Marshal(processSettings{
		Dir: h.cfg.DataDir, Client: h.cfg.ListenClientURL, Peer: h.cfg.ListenPeerURL, Name: h.cfg.Cluster.Name, Init: h.cfg.Cluster.Init, Join: h.cfg.Cluster.Join,
	})
	require.NoError(t, err)
	program, err := os.Executable()
	require.NoError(t, err)
	p := &memberProcess{host: h, cmd: exec.Command(program), ready: make(chan bool, 1)}
	p.cmd.Env = append(os.Environ(), memberSettings+"="+string(settings))
	p.cmd.Stderr = io.MultiWriter(t.Output(), &p.stderr)
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		_, err := bufio.NewReader(stdout).ReadString('\n')
		p.ready <- err == nil
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *memberProcess) awaitReady(t *testing.T) {
	t.Helper()
	select {
	case isReady := <-p.ready:
		require.True(t, isReady, "member %s", p.cfg.Cluster.Name)
	case <-time.After(clusterTimeout):
		require.Fail(t, "not ready", "member %s", p.cfg.Cluster.Name)
	}
}

// kill kills the process, if it runs, and waits for it.
func (p *memberProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// processes starts a cluster of processes of three members.
func processes(t *testing.T) []*memberProcess {
	t.Helper()
	var started []*memberProcess
	for i, name := range []string{"eu/1", "us/1", "ap/1"} {
		h := newHost(t, name)
		if i == 0 {
			h.cfg.Cluster.Init = true
		} else {
			h.cfg.Cluster.Join = []string{started[0].cfg.ListenClientURL}
		}
		p := h.startProcess(t)
		p.awaitReady(t)
		started = append(started, p)
	}
	return started
}

// clientOf returns a client of the members.
func clientOf(t *testing.T, members ...*memberProcess) *clientv3.Client {
	t.Helper()
	var urls []string
	for _, m := range members {
		urls = append(urls, m.cfg.ListenClientURL)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: urls, Logger: zap.NewNop(), DialTimeout: time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// awaitWrite waits until a write is acknowledged, and returns how long that took.
func awaitWrite(t *testing.T, client *clientv3.Client, key string) time.Duration {
	t.Helper()
	startedAt := time.Now()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := client.Put(ctx, key, "value")
		return err == nil
	}, clusterTimeout, 10*time.Millisecond)
	return time.Since(startedAt)
}

// leaderOf returns the index of the leader.
func leaderOf(t *testing.T, members []*memberProcess) int {
	t.Helper()
	for i, m := range members {
		status, err := clientOf(t, m).Status(t.Context(), m.cfg.ListenClientURL)
		require.NoError(t, err)
		if status.Leader == status.Header.GetMemberId() {
			return i
		}
	}
	require.Fail(t, "no leader")
	return 0
}

func TestKilledMembersKeepEveryAcknowledgedWrite(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	members := processes(t)
	leader := leaderOf(t, members)
	follower, third := (leader+1)%3, (leader+2)%3
	restart := func(i int) {
		members[i] = members[i].startProcess(t)
		members[i].awaitReady(t)
	}

	members[follower].kill()
	t.Logf("loss of a follower: first write after %s", awaitWrite(t, clientOf(t, members[leader], members[third]), "follower").Round(time.Millisecond))
	startedAt := time.Now()
	restart(follower)
	t.Logf("restart of a member: ready after %s", time.Since(startedAt).Round(time.Millisecond))

	leader = leaderOf(t, members)
	follower, third = (leader+1)%3, (leader+2)%3
	members[leader].kill()
	t.Logf("loss of the leader: first write after %s", awaitWrite(t, clientOf(t, members[follower], members[third]), "leader").Round(time.Millisecond))
	restart(leader)

	leader = leaderOf(t, members)
	follower, third = (leader+1)%3, (leader+2)%3
	members[follower].kill()
	members[third].kill()
	startedAt = time.Now()
	restart(third)
	t.Logf("quorum lost, and back with the start of one member: first write after %s", (time.Since(startedAt) + awaitWrite(t, clientOf(t, members[leader], members[third]), "quorum")).Round(time.Millisecond))
	restart(follower)

	for _, m := range members { // a loss of power
		m.kill()
	}
	startedAt = time.Now()
	for i := range members {
		members[i] = members[i].startProcess(t)
	}
	for _, m := range members {
		m.awaitReady(t)
	}
	t.Logf("all members lost, and started at the same time: first write after %s", (time.Since(startedAt) + awaitWrite(t, clientOf(t, members...), "all")).Round(time.Millisecond))

	for _, m := range members {
		for _, key := range []string{"follower", "leader", "quorum", "all"} {
			got, err := clientOf(t, m).Get(t.Context(), key)
			require.NoError(t, err)
			require.EqualValues(t, 1, got.Count, "key %s of member %s", key, m.cfg.Cluster.Name)
		}
	}
}

// The joining member is killed at each stage of its join: before its entry is added, while its data is
// copied, and about when it gets its vote.
func TestKilledJoinIsCompleted(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	first := initialize(t, "eu/1")
	first.put(t, "key")
	joining := newHost(t, "us/1")
	joining.cfg.Cluster.Join = []string{first.cfg.ListenClientURL}
	for _, after := range []time.Duration{20 * time.Millisecond, 60 * time.Millisecond, 100 * time.Millisecond, 130 * time.Millisecond, 160 * time.Millisecond, 200 * time.Millisecond} {
		p := joining.startProcess(t)
		select { // the delay is the input of the test: it varies the stage
		case <-time.After(after):
		case <-p.ready:
		}
		p.kill()
	}
	joining.startProcess(t).awaitReady(t)
	members := first.list(t)
	require.Len(t, members.List, 2)
	require.Equal(t, 2, members.Voters())
	first.put(t, "after")
}
