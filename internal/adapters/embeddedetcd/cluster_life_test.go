package embeddedetcd_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/etcdcluster"
)

// writer writes keys through one member until it is stopped.
type writer struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
	keys    []string // acknowledged
	err     error
}

func startWriter(h *host) *writer {
	w := new(writer)
	var ctx context.Context
	ctx, w.cancel = context.WithCancel(context.Background())
	w.running.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			key := fmt.Sprintf("writer/%d", n)
			writeCtx, cancel := context.WithTimeout(ctx, clusterTimeout)
			_, err := h.member.Client().Put(writeCtx, key, "value")
			cancel()
			switch {
			case err == nil:
				w.keys = append(w.keys, key)
			case ctx.Err() == nil:
				w.err = err
				return
			}
		}
	})
	return w
}

// stop returns the acknowledged keys.
func (w *writer) stop(t *testing.T) []string {
	t.Helper()
	w.cancel()
	w.running.Wait()
	require.NoError(t, w.err)
	require.NotEmpty(t, w.keys)
	return w.keys
}

func TestClusterGrowsAndShrinksWhileItIsWritten(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("etcd accepts a member five seconds after the one before")
	}
	hosts := []*host{initialize(t, "eu/1")}
	w := startWriter(hosts[0])
	for i := 2; i <= 5; i++ {
		hosts = append(hosts, join(t, fmt.Sprintf("eu/%d", i), hosts[len(hosts)-1]))
	}
	require.Equal(t, 5, hosts[0].list(t).Voters())
	for _, h := range hosts[1:] {
		hosts[0].remove(t, h.cfg.Cluster.Name)
		require.Error(t, <-h.member.Err())
	}
	keys := w.stop(t)
	require.Equal(t, 1, hosts[0].list(t).Voters())
	hosts[0].requireKeys(t, keys...)
	t.Logf("%d writes were acknowledged", len(keys))
	hosts[0].stop(t)
	hosts[0].start(t)
	hosts[0].awaitReady(t)
	hosts[0].requireKeys(t, keys[len(keys)-1])
}

func TestMemberWithoutQuorumWaitsForTheOthers(t *testing.T) {
	t.Parallel()
	hosts := cluster(t, "eu/1", "us/1", "ap/1")
	hosts[0].put(t, "key")
	hosts[2].requireKeys(t, "key")
	for _, h := range hosts {
		h.stop(t)
	}
	only := hosts[2]
	only.start(t)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		err := only.member.Health()
		require.ErrorContains(c, err, "has no leader: 2 of 3 members must run")
		require.ErrorContains(c, err, "eu/1 at "+hosts[0].cfg.ListenPeerURL+" (connect: connection refused), us/1")
	}, clusterTimeout, 20*time.Millisecond)
	local, err := only.member.Client().Get(t.Context(), "key", clientv3.WithSerializable())
	require.NoError(t, err)
	require.EqualValues(t, 1, local.Count, "local reads need no quorum")
	select {
	case <-only.member.Ready():
		require.Fail(t, "ready without a quorum")
	default:
	}

	hosts[0].start(t)
	only.awaitReady(t)
	only.put(t, "after")
	hosts[1].start(t)
	hosts[1].awaitReady(t)
	hosts[1].requireKeys(t, "key", "after")
}

func TestMemberCanBeStoppedWithoutQuorum(t *testing.T) {
	t.Parallel()
	hosts := cluster(t, "eu/1", "us/1")
	hosts[0].stop(t)
	hosts[1].stop(t)
	hosts[1].start(t)
	require.NoError(t, hosts[1].member.Close())
	require.NoError(t, hosts[1].member.Close())
}

func TestSingleMemberBecomesACluster(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	single := start(t, cfg)
	_, err := single.Client().Put(t.Context(), "key", "value")
	require.NoError(t, err)
	before := onlyMember(t, single)
	require.NoError(t, single.Close())

	first := newHost(t, "eu/1")
	first.cfg.DataDir, first.cfg.Cluster.Init = cfg.DataDir, true
	first.start(t)
	first.awaitReady(t)
	after := first.list(t).List[0]
	require.Equal(t, before.GetID(), after.ID, "the member keeps its identity")
	require.Equal(t, "eu/1", after.Name)
	require.Equal(t, []string{first.cfg.ListenPeerURL}, after.PeerURLs, "the address of the network replaces that of loopback")
	second, third := join(t, "us/1", first), join(t, "ap/1", first)
	second.requireKeys(t, "key")

	// The first member moves to other addresses, while the cluster continues.
	first.stop(t)
	relocated := newHost(t, "eu/1")
	relocated.cfg.DataDir, relocated.cfg.Cluster.Init = cfg.DataDir, true
	relocated.start(t)
	relocated.awaitReady(t)
	third.put(t, "after")
	relocated.requireKeys(t, "key", "after")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		self, _ := third.list(t).ByName("eu/1")
		require.Equal(c, []string{relocated.cfg.ListenPeerURL}, self.PeerURLs)
	}, clusterTimeout, 50*time.Millisecond)
}

func TestInterruptedJoinIsCompleted(t *testing.T) {
	t.Parallel()
	first := initialize(t, "eu/1")
	second := newHost(t, "us/1")
	second.cfg.Cluster.Join = []string{first.cfg.ListenClientURL}

	// It was killed after the cluster had added its entry.
	_, err := first.member.Client().MemberAddAsLearner(t.Context(), []string{second.cfg.ListenPeerURL})
	require.NoError(t, err)
	second.start(t)
	second.awaitReady(t)
	require.Len(t, first.list(t).List, 2)
	id := second.id(t)

	// It was killed after it had got its vote, and before it recorded that. Others count on its log.
	second.stop(t)
	second.editClusterFile(t, func(text string) string {
		return strings.Replace(text, `"bootstrapped": true`, `"bootstrapped": false`, 1)
	})
	second.start(t)
	second.awaitReady(t)
	require.Equal(t, id, second.id(t), "the member must be the same")
	second.put(t, "key")
	first.requireKeys(t, "key")

	// Without the flags that it started with, it is not complete.
	third := newHost(t, "ap/1")
	third.cfg.Cluster.Join = []string{first.cfg.ListenClientURL}
	ctx, cancel := context.WithCancel(t.Context())
	third.cfg.Cluster.Report = func(state string) {
		if state == "copying the data of the cluster" {
			cancel()
		}
	}
	_, err = embeddedetcd.Start(ctx, third.cfg)
	require.ErrorIs(t, err, context.Canceled)
	third.cfg.Cluster.Report = nil
	incomplete := third.cfg
	incomplete.Cluster = &embeddedetcd.Cluster{Name: "ap/1"}
	require.ErrorContains(t, startErrorWhenUnlocked(t, incomplete), "the join of member ap/1 is not complete")
	third.start(t)
	third.awaitReady(t)
	require.Equal(t, 3, first.list(t).Voters())
}

func TestTimingIsThatOfTheCluster(t *testing.T) {
	t.Parallel()
	first := newHost(t, "eu/1")
	first.cfg.Cluster.Init, first.cfg.Cluster.RoundTrip = true, 120*time.Millisecond
	first.start(t)
	first.awaitReady(t)
	slow := delay(t, first.cfg.ListenClientURL, 170*time.Millisecond)
	second := newHost(t, "us/1")
	second.cfg.Cluster.Join = []string{slow}
	second.start(t)
	second.awaitReady(t)
	require.Equal(t, map[uint64]etcdcluster.Timing{
		first.id(t): etcdcluster.TimingFor(120 * time.Millisecond), second.id(t): etcdcluster.TimingFor(120 * time.Millisecond),
	}, second.runningTimings(t), "the joining member measures the address that the first one advertises")

	first.cfg.Cluster.AdvertiseClientURL = slow
	first.stop(t)
	first.start(t)
	first.awaitReady(t)
	third := newHost(t, "ap/1")
	third.cfg.Cluster.Join = []string{second.cfg.ListenClientURL}
	third.start(t)
	third.awaitReady(t)
	stored, err := etcdcluster.LoadTiming(t.Context(), third.member.Client())
	require.NoError(t, err)
	require.GreaterOrEqual(t, stored.Election, 2*time.Second)
	require.Equal(t, stored, third.runningTimings(t)[third.id(t)])
	require.NotEqual(t, stored, third.runningTimings(t)[second.id(t)], "it needs a restart")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Contains(c, second.clusterFile(t), fmt.Sprintf(`"election_ms": %d`, stored.Election.Milliseconds()))
	}, clusterTimeout, 50*time.Millisecond)
	second.stop(t)
	second.start(t)
	second.awaitReady(t)
	require.Equal(t, stored, second.runningTimings(t)[second.id(t)])
}

func TestTimingIsChosenWhenTheClusterAcceptsTheMember(t *testing.T) {
	t.Parallel()
	first := initialize(t, "eu/1")
	loadTiming := func() etcdcluster.Timing {
		stored, err := etcdcluster.LoadTiming(t.Context(), first.member.Client())
		require.NoError(t, err)
		return stored
	}
	rejected := newHost(t, "eu/1")
	rejected.cfg.Cluster.Join, rejected.cfg.Cluster.RoundTrip = []string{first.cfg.ListenClientURL}, 400*time.Millisecond
	before := loadTiming()
	require.ErrorContains(t, rejected.startError(t), "the cluster has a member eu/1")
	require.Equal(t, before, loadTiming(), "a join that is rejected changes nothing")

	// While another join is in progress, this one waits, and the other one raises the timing.
	blocking, err := first.member.Client().MemberAddAsLearner(t.Context(), []string{"http://127.0.0.1:1"})
	require.NoError(t, err)
	isWaiting := make(chan struct{}, 1)
	second := newHost(t, "us/1")
	second.cfg.Cluster.Join = []string{first.cfg.ListenClientURL}
	second.cfg.Cluster.Report = func(state string) {
		if strings.Contains(state, "is not complete") {
			select {
			case isWaiting <- struct{}{}:
			default:
			}
		}
	}
	var others sync.WaitGroup
	others.Go(func() {
		<-isWaiting
		_, _, err := etcdcluster.RaiseTiming(t.Context(), first.member.Client(), 300*time.Millisecond)
		assert.NoError(t, err)
		_, err = first.member.Client().MemberRemove(t.Context(), blocking.Member.GetID())
		assert.NoError(t, err)
	})
	second.start(t)
	others.Wait()
	second.awaitReady(t)
	require.Equal(t, etcdcluster.TimingFor(300*time.Millisecond), second.runningTimings(t)[second.id(t)])
}

func TestJoinDoesNotEndTheJoinOfAnotherHost(t *testing.T) {
	t.Parallel()
	first := initialize(t, "eu/1")
	learner, second := newHost(t, "us/1"), newHost(t, "us/1")
	_, err := first.member.Client().MemberAddAsLearner(t.Context(), []string{learner.cfg.ListenPeerURL})
	require.NoError(t, err)
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir, cfg.LogLevel = "us/1", learner.cfg.DataDir, "fatal"
	cfg.InitialCluster, cfg.ClusterState = "eu/1="+first.cfg.ListenPeerURL+",us/1="+learner.cfg.ListenPeerURL, embed.ClusterStateFlagExisting
	for text, urls := range map[string][]*[]url.URL{
		learner.cfg.ListenPeerURL: {&cfg.ListenPeerUrls, &cfg.AdvertisePeerUrls}, learner.cfg.ListenClientURL: {&cfg.ListenClientUrls, &cfg.AdvertiseClientUrls},
	} {
		parsed, err := url.Parse(text)
		require.NoError(t, err)
		for _, setting := range urls {
			*setting = []url.URL{*parsed}
		}
	}
	running, err := embed.StartEtcd(cfg) // a join that copies data for a long time
	require.NoError(t, err)
	closeLearner := sync.OnceFunc(running.Close)
	t.Cleanup(closeLearner)
	<-running.Server.ReadyNotify()

	second.cfg.Cluster.Join = []string{first.cfg.ListenClientURL}
	require.ErrorContains(t, second.startError(t), "the cluster has a member us/1")
	require.Len(t, first.list(t).List, 2)
	closeLearner()
	second.start(t)
	second.awaitReady(t)
	require.Equal(t, 2, first.list(t).Voters())
}

func TestJoinWhileAnotherMemberIsRemoved(t *testing.T) {
	t.Parallel()
	hosts := cluster(t, "eu/1", "us/1")
	third := newHost(t, "ap/1")
	third.cfg.Cluster.Join = []string{hosts[0].cfg.ListenClientURL}
	remove := sync.OnceFunc(func() { hosts[0].remove(t, "us/1") })
	third.cfg.Cluster.Report = func(state string) {
		if state == "copying the data of the cluster" { // its entry was added, and etcd has not started
			remove()
		}
	}
	third.start(t)
	third.awaitReady(t)
	require.Equal(t, 2, hosts[0].list(t).Voters())
}
