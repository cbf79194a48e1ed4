package etcdstore_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// TestManySubscribersOneWatch counts the etcd watches of many subscribers.
func TestManySubscribersOneWatch(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	watches := wrapWatcher(client, func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		forwardAll(ctx, open(), out)
	})
	r := newFixture(t, client, etcdstore.Options{FreshTimeout: testTimeout})
	require.NoError(t, r.Ready(t.Context()), "the log covers what is written from now on")
	first := r.put(runningRecord("game"))
	r.waitForCache(first.Revision)
	var streams []*stream
	for n := range 200 {
		options := ports.WatchOptions{}
		switch n % 4 {
		case 1:
			options.FromRevision = first.Revision
		case 2:
			options.GameID = "game"
		case 3:
			options.Statuses = []runtime.Status{runtime.StatusStopped}
		}
		s := r.watch(options)
		if options.FromRevision == 0 {
			s.synced()
		}
		streams = append(streams, s)
	}
	transitioned := r.transition("game", runtime.StatusRunning, runtime.StatusStopped)
	for _, s := range streams {
		s.change(transitioned)
	}
	require.EqualValues(t, 1, watches.opened.Load(), "watches of etcd for %d subscribers", len(streams))
	require.Zero(t, r.CacheStats().Replays)
}

// TestSubscriberBehindTheLogReadsFromEtcd makes more changes than the log keeps while one
// subscriber reads nothing and another keeps up.
func TestSubscriberBehindTheLogReadsFromEtcd(t *testing.T) {
	t.Parallel()
	const rounds, games, maxChanges = 20, 100, 1000
	r := newFixture(t, etcdtest.InProcess(t), etcdstore.Options{FreshTimeout: testTimeout, MaxLogChanges: maxChanges})
	require.NoError(t, r.Ready(t.Context()))
	slow, quick := r.watch(ports.WatchOptions{}), r.watch(ports.WatchOptions{})
	slow.synced()
	quick.synced()
	requireRound := func(s *stream, revision int64) {
		t.Helper()
		for n := range games {
			event := s.event()
			require.Equal(t, revision, event.Revision)
			require.Equal(t, fmt.Sprintf("game-%03d", n), event.GameID)
			require.Equal(t, n == games-1, event.Last)
		}
	}
	var revisions []int64
	for round := range rounds {
		revisions = append(revisions, r.putManyRaw(games, fmt.Sprint("round-", round)))
		requireRound(quick, revisions[round])
	}
	require.Zero(t, r.CacheStats().Replays, "no subscriber has read from etcd yet")
	require.Equal(t, maxChanges, r.CacheStats().LogChanges, "the log is bounded")
	for _, revision := range revisions {
		requireRound(slow, revision)
	}
	require.EqualValues(t, 1, r.CacheStats().Replays, "the slow subscriber read from etcd once")
	last := r.putManyRaw(games, "last")
	requireRound(slow, last)
	requireRound(quick, last)
	require.Equal(t, maxChanges, r.CacheStats().LogChanges)
}

// TestResumeAtARevisionAheadOfTheLog resumes at etcd's revision, which has increased by
// keys of other programs.
func TestResumeAtARevisionAheadOfTheLog(t *testing.T) {
	t.Parallel()
	r := newFixture(t, etcdtest.InProcess(t), etcdstore.Options{FreshTimeout: testTimeout})
	require.NoError(t, r.Ready(t.Context()))
	for n := range 20 {
		r.put(runningRecord("game"))
		r.putRaw("/other", fmt.Sprint(n))
		from := r.head()
		s := r.watch(ports.WatchOptions{FromRevision: from})
		results := make(chan runtime.VersionedRecord, 1)
		go func() { results <- r.put(runningRecord("wake")) }()
		s.change(<-results)
	}
	require.Zero(t, r.CacheStats().Replays, "etcd watches of subscribers")
}
