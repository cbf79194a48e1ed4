package etcdstore_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestCorruptValueDoesNotEndTheStream(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	good := r.put(runningRecord("game"))
	s := r.watch(ports.WatchOptions{FromRevision: good.Revision})
	other := r.watch(ports.WatchOptions{FromRevision: good.Revision, GameID: "other"})

	revision := r.putRaw("/runtimes/game", "garbage")
	event, err := s.fault()
	r.requireCorrupt(err, "/runtimes/game", "game", "watch")
	require.Equal(t, "game", event.GameID)
	require.Equal(t, revision, event.Revision)
	require.Nil(t, event.After)

	requireRepaired := r.putRaw("/runtimes/game", handWritten("game", ""))
	event = s.event()
	require.Equal(t, requireRepaired, event.Revision)
	require.Equal(t, ports.EventUpserted, event.Type)
	require.Nil(t, event.Before, "a corrupt record cannot be delivered")

	r.putRaw("/runtimes/a/b", "foreign")
	event, err = s.fault()
	r.requireCorrupt(err, "/runtimes/a/b", "", "watch")
	require.Empty(t, event.GameID)

	last := r.put(runningRecord("other"))
	s.change(last)
	other.change(last)
}

// TestDeletionOfACorruptRecordIsDelivered deletes a game while its value is corrupt:
// whether it matched the filter is unknown, so every consumer gets the event.
func TestDeletionOfACorruptRecordIsDelivered(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]ports.WatchOptions{
		"no filter": {}, "by status": {RecordFilter: ports.FilterByStatus(runtime.StatusRunning)}, "by game": {GameID: "game"}, "by region": {RecordFilter: ports.RecordFilter{Regions: []string{"eu-west"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sharedFixture(t)
			options.FromRevision = r.put(runningRecord("game")).Revision
			s := r.watch(options)
			r.putRaw("/runtimes/game", "garbage")
			_, err := s.fault()
			require.ErrorIs(t, err, runtime.ErrCorrupt)
			revision := r.deleteRaw("/runtimes/game")
			event := s.event()
			require.Equal(t, ports.EventDeleted, event.Type)
			require.Equal(t, "game", event.GameID)
			require.Equal(t, revision, event.Revision)
			require.Nil(t, event.Before)
		})
	}
}

// TestRecordDeletedByAnOperator deletes the record's key alone, as with etcdctl.
func TestRecordDeletedByAnOperator(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	result := r.put(runningRecord("a/b"))
	s := r.watch(ports.WatchOptions{FromRevision: result.Revision, RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}})
	revision := r.deleteRaw("/runtimes/a%2Fb")
	require.Equal(t, ports.RuntimeEvent{
		Type: ports.EventDeleted, Revision: revision, GameID: "a/b", Before: &result.Record, Last: true,
	}, s.event())
}

// withoutPrevious forwards events without the value before the change, as etcd does at
// the edge of compaction.
func withoutPrevious(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
	for resp := range open() {
		events := make([]*clientv3.Event, len(resp.Events))
		for i, ev := range resp.Events {
			events[i] = &mvccpb.Event{Type: ev.Type, Kv: ev.Kv}
		}
		resp.Events = events
		if !forwardOne(ctx, resp, out) {
			return
		}
	}
}

func TestPreviousValueIsReadFromEtcd(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.InProcess()
	wrapWatcher(client, withoutPrevious)
	r := newFixture(t, client, etcdstore.Options{NoCache: true})
	first := r.put(runningRecord("game"))
	s := r.watch(ports.WatchOptions{FromRevision: first.Revision})
	transitioned := r.transition("game", runtime.StatusRunning, runtime.StatusStopped)
	require.Equal(t, first.Record, *s.change(transitioned).Before, "read from etcd")
	deleted := r.deleteRaw("/runtimes/game")
	require.Equal(t, transitioned.Record, *s.event().Before)

	late := r.watch(ports.WatchOptions{FromRevision: transitioned.Revision})
	_, err := client.Compact(t.Context(), deleted)
	require.NoError(t, err)
	late.ends(runtime.ErrCompacted)
}
