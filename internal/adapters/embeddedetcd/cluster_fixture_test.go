package embeddedetcd_test

import (
	"context"
	"errors"

	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/etcdcluster"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/testkit/network"
	"galaxy/rtmanager/internal/testkit/tcptest"
)

// clusterTimeout bounds what a cluster of this machine does in a second.
const clusterTimeout = time.Minute

// host is a machine with a member: its directory and addresses do not change.
type host struct {
	cfg    embeddedetcd.Config
	member *embeddedetcd.Member
}

// newHost returns a host whose member has the name.
func newHost(t *testing.T, name string) *host {
	t.Helper()
	return &host{cfg: embeddedetcd.Config{
		DataDir:         t.TempDir(),
		ListenClientURL: fmt.Sprintf("http://127.0.0.1:%d", tcptest.UnusedPort(t)),
		ListenPeerURL:   fmt.Sprintf("http://127.0.0.1:%d", tcptest.UnusedPort(t)),
		Cluster:         &embeddedetcd.Cluster{Name: name, Report: func(state string) { t.Logf("%s: %s", name, state) }},
		Logger:          zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)),
	}}
}

// initialize starts the first member of a cluster.
func initialize(t *testing.T, name string) *host {
	t.Helper()
	h := newHost(t, name)
	h.cfg.Cluster.Init = true
	h.start(t)
	h.awaitReady(t)
	return h
}

// join adds a member with the name to the cluster of the other host.
func join(t *testing.T, name string, other *host) *host {
	t.Helper()
	h := newHost(t, name)
	h.cfg.Cluster.Join = []string{other.cfg.ListenClientURL}
	h.start(t)
	h.awaitReady(t)
	return h
}

// cluster starts a cluster of members with the names.
func cluster(t *testing.T, names ...string) []*host {
	t.Helper()
	hosts := []*host{initialize(t, names[0])}
	for _, name := range names[1:] {
		hosts = append(hosts, join(t, name, hosts[0]))
	}
	return hosts
}

func (h *host) start(t *testing.T) {
	t.Helper()
	member, err := h.tryStart(t)
	require.NoError(t, err, "start member %s", h.cfg.Cluster.Name)
	h.member = member
	t.Cleanup(func() { _ = member.Close() })
}

func (h *host) tryStart(t *testing.T) (*embeddedetcd.Member, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clusterTimeout)
	defer cancel()
	return embeddedetcd.Start(ctx, h.cfg)
}

// startError returns the error of a start that must fail.
func (h *host) startError(t *testing.T) error {
	t.Helper()
	return startError(t, h.cfg)
}

func (h *host) awaitReady(t *testing.T) {
	t.Helper()
	select {
	case <-h.member.Ready():
	case err := <-h.member.Err():
		require.NoError(t, err, "member %s", h.cfg.Cluster.Name)
	case <-time.After(clusterTimeout):
		require.FailNow(t, "not ready", "member %s: %v", h.cfg.Cluster.Name, h.member.Health())
	}
	require.NoError(t, h.member.Health())
}

func (h *host) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, h.member.Close())
}

func (h *host) put(t *testing.T, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clusterTimeout)
	defer cancel()
	_, err := h.member.Client().Put(ctx, key, "value")
	require.NoError(t, err)
}

func (h *host) requireKeys(t *testing.T, keys ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clusterTimeout)
	defer cancel()
	for _, key := range keys {
		got, err := h.member.Client().Get(ctx, key)
		require.NoError(t, err)
		require.EqualValues(t, 1, got.Count, "key %s of member %s", key, h.cfg.Cluster.Name)
	}
}

func (h *host) list(t *testing.T) etcdcluster.Members {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clusterTimeout)
	defer cancel()
	members, err := etcdcluster.List(ctx, h.member.Client())
	require.NoError(t, err)
	return members
}

func (h *host) remove(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clusterTimeout)
	defer cancel()
	target, isMember := h.list(t).ByName(name)
	require.True(t, isMember)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := h.member.Client().MemberRemove(ctx, target.ID)
		require.NoError(c, err)
	}, clusterTimeout, 100*time.Millisecond)
}

// id returns the member id.
func (h *host) id(t *testing.T) uint64 {
	t.Helper()
	self, isMember := h.list(t).ByName(h.cfg.Cluster.Name)
	require.True(t, isMember)
	return self.ID
}

func (h *host) runningTimings(t *testing.T) map[uint64]etcdcluster.Timing {
	t.Helper()
	timings, err := etcdcluster.RunningTimings(t.Context(), h.member.Client())
	require.NoError(t, err)
	return timings
}

func (h *host) clusterFile(t require.TestingT) string {
	text, err := os.ReadFile(filepath.Join(h.cfg.DataDir, "cluster.json"))
	require.NoError(t, err)
	return string(text)
}

func (h *host) editClusterFile(t *testing.T, edit func(text string) string) {
	t.Helper()
	before := h.clusterFile(t)
	after := edit(before)
	require.NotEqual(t, before, after)
	require.NoError(t, os.WriteFile(filepath.Join(h.cfg.DataDir, "cluster.json"), []byte(after), 0o600))
}

// startErrorWhenUnlocked returns the error of a start after a canceled start has released the
// directory.
func startErrorWhenUnlocked(t *testing.T, cfg embeddedetcd.Config) (err error) {
	t.Helper()
	require.Eventually(t, func() bool {
		err = startError(t, cfg)
		return !errors.Is(err, filelock.ErrLocked)
	}, clusterTimeout, 50*time.Millisecond)
	return err
}

// delay returns the URL of a proxy of the other URL that delays what it forwards, each way by half
// of the round trip.
func delay(t *testing.T, target string, roundTrip time.Duration) string {
	t.Helper()
	const here, there = "here", "there"
	n := network.New(t)
	proxy := n.Proxy(network.Clients, there)
	proxy.SetTarget(strings.TrimPrefix(target, "http://"))
	n.Register(here, os.Getpid())
	n.SetRoundTrip(here, there, roundTrip)
	return proxy.URL()
}
