package etcdstore_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// TestQuota fills a server: writes return an error that states what to do, and everything
// else continues.
func TestQuota(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t, etcdtest.Quota(256<<10))
	client := server.Client()
	r := newFixture(t, client, etcdstore.Options{})
	result := r.put(runningRecord("game"))
	s := r.watch(ports.WatchOptions{})
	s.synced()
	fill(r)

	for what, err := range map[string]error{
		"transition": r.UpdateStatus(t.Context(), stopInput("game")),
		"upsert":     r.Upsert(t.Context(), runningRecord("game")),
		"insert":     r.Upsert(t.Context(), runningRecord("new")),
	} {
		require.ErrorIs(t, err, runtime.ErrReadOnly, what)
		require.NotErrorIs(t, err, runtime.ErrOutcomeUnknown, what)
		require.ErrorContains(t, err, "compact", "%s: the error must state what to do", what)
	}
	second := newFixture(t, server.InProcess(), etcdstore.Options{Prefix: r.prefix})
	require.Equal(t, storeID(t, r), storeID(t, second), "an existing store can be opened")
	for _, r := range []fixture{r, second} {
		found, err := r.GetVersioned(t.Context(), "game")
		require.NoError(t, err)
		require.Equal(t, result, found)
		records, err := r.List(t.Context())
		require.NoError(t, err)
		require.Len(t, records, 1)
		records, err = r.ListByStatus(t.Context(), runtime.StatusRunning)
		require.NoError(t, err)
		require.Len(t, records, 1)
		_, err = r.History(t.Context(), "game")
		require.NoError(t, err)
		r.requireClean()
		games, _, _ := r.watch(ports.WatchOptions{}).synced()
		require.Equal(t, []string{"game"}, games)
		info, err := r.Info(t.Context())
		require.NoError(t, err)
		require.Contains(t, strings.Join(info.Alarms, " "), "NOSPACE")
	}

	_, err := etcdstore.Open(t.Context(), client, etcdstore.Options{Prefix: etcdtest.Prefix(t)})
	require.ErrorIs(t, err, runtime.ErrReadOnly, "a new store cannot be created")

	revision := r.deleteRaw("/runtimes/game")
	require.Equal(t, revision, s.event().Revision, "a watch continues; deletions are allowed")
}

// TestRepairAtTheQuota repairs what takes no space, and reports why the rest is not
// repaired.
func TestRepairAtTheQuota(t *testing.T) {
	t.Parallel()
	r := newFixture(t, etcdtest.Start(t, etcdtest.Quota(256<<10)).InProcess(), etcdstore.Options{})
	r.put(runningRecord("game"))
	r.put(runningRecord("other"))
	r.putRaw("/runtimes-by-status/stopped/game", "x")
	r.deleteRaw("/runtimes-by-status/running/other")
	fill(r)
	report, err := r.Check(t.Context(), true)
	require.NoError(t, err)
	require.Len(t, report.Findings, 2)
	for _, f := range report.Findings {
		if f.Kind == ports.FindingIndexExtra {
			require.True(t, f.Repaired, "a deletion takes no space: %+v", f)
		} else {
			require.False(t, f.Repaired)
			require.Contains(t, f.RepairError, "read-only")
		}
	}
}

// fill writes until etcd accepts no more. etcd checks the size of its file, which grows
// only when it commits, so this takes a moment.
func fill(r fixture) {
	r.t.Helper()
	ctx := within(r.t, testTimeout)
	value := strings.Repeat("x", 64<<10)
	for {
		if _, err := r.etcd.Put(ctx, r.prefix+"/filler", value); err != nil {
			require.ErrorContains(r.t, err, "database space exceeded")
			return
		}
	}
}
