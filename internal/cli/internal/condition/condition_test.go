package condition_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli/internal/condition"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func gameOf(id string, status runtime.Status) runtime.RuntimeRecord {
	return runtime.RuntimeRecord{GameID: id, Status: status, Region: "eu", Node: "eu-1", CurrentImageRef: "game:1"}
}

func listOf(t *testing.T, texts ...string) condition.List {
	t.Helper()
	list, err := condition.ParseList("--for", texts)
	require.NoError(t, err)
	return list
}

func TestConditionsOfRecords(t *testing.T) {
	t.Parallel()
	ready := gameOf("g", runtime.StatusRunning)
	ready.Health = runtime.HealthHealthy
	lost := ready
	lost.NodeLostAt = new(time.Time)
	busy := ready
	busy.Operation = &runtime.OperationInProgress{Kind: "stop"}
	stopped := gameOf("g", runtime.StatusStopped)
	for _, c := range []struct {
		text            string
		isTrue, isFalse *runtime.RuntimeRecord
	}{
		{"status=running", &ready, &stopped},
		{"status=stopped", &stopped, nil},
		{"health=healthy", &ready, &stopped},
		{"ready", &ready, &lost},
		{"idle", &ready, &busy},
		{"node=eu-1", &ready, nil},
		{"node=eu/eu-1", &ready, nil},
		{"image=game:1", &ready, nil},
		{"deleted", nil, &stopped},
	} {
		list := listOf(t, c.text)
		require.True(t, list.IsTrue(c.isTrue), c.text)
		require.False(t, list.IsTrue(c.isFalse), c.text)
		require.Equal(t, c.text, list.String())
	}
	require.False(t, listOf(t, "ready", "image=game:2").IsTrue(&ready))
	require.True(t, listOf(t, "ready", "image=game:1").IsTrue(&ready))
}

func TestInvalidConditions(t *testing.T) {
	t.Parallel()
	for want, texts := range map[string][]string{
		`--for "running" is not a condition; use status=STATUS`:                {"running"},
		`--for "status=" is not a condition`:                                   {"status="},
		`--for "status" is not a condition`:                                    {"status"},
		`--for "x=y" is not a condition`:                                       {"x=y"},
		`--for "up" is not a status`:                                           {"status=up"},
		`--for "good" is not a health`:                                         {"health=good"},
		"status=running and status=stopped can never be true at the same time": {"status=running", "status=stopped"},
		"deleted and ready can never be true at the same time":                 {"deleted", "ready"},
		"status=stopped and ready can never be true at the same time":          {"status=stopped", "ready"},
	} {
		_, err := condition.ParseList("--for", texts)
		require.ErrorIs(t, err, runtime.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	require.Len(t, listOf(t, "ready", "ready"), 2)
}

// idsOf returns the games of the results.
func idsOf(reached []condition.Reached) []string {
	var ids []string
	for _, one := range reached {
		ids = append(ids, one.GameID)
	}
	return ids
}

func eventOf(kind ports.EventType, record runtime.RuntimeRecord) ports.RuntimeEvent {
	return ports.RuntimeEvent{Type: kind, GameID: record.GameID, After: &record, Revision: 7}
}

// Each game has to fulfill the conditions once.
func TestTracker(t *testing.T) {
	t.Parallel()
	tracker := condition.NewTracker(listOf(t, "status=stopped"), []string{"a", "b", "c"})
	reached := tracker.Start([]runtime.VersionedRecord{
		{Record: gameOf("a", runtime.StatusStopped), Revision: 1}, {Record: gameOf("b", runtime.StatusRunning), Revision: 2},
	})
	require.Equal(t, []string{"a"}, idsOf(reached))
	require.EqualValues(t, 1, reached[0].Record.Revision)
	require.Empty(t, tracker.Observe(eventOf(ports.EventUpserted, gameOf("other", runtime.StatusStopped))))
	require.Empty(t, tracker.Observe(eventOf(ports.EventUpserted, gameOf("a", runtime.StatusRunning))), "a is done")
	require.Equal(t, []string{"b"}, idsOf(tracker.Observe(eventOf(ports.EventUpserted, gameOf("b", runtime.StatusStopped)))))
	require.Equal(t, []condition.Reached{{GameID: "c"}}, tracker.Pending())
	require.False(t, tracker.IsDone())
	require.Equal(t, []string{"c"}, idsOf(tracker.Observe(eventOf(ports.EventUpserted, gameOf("c", runtime.StatusStopped)))))
	require.True(t, tracker.IsDone())
}

// After a resync a game has no record only if the complete snapshot lacks it.
func TestTrackerOfDeletedGames(t *testing.T) {
	t.Parallel()
	tracker := condition.NewTracker(listOf(t, "deleted"), []string{"a", "b", "c"})
	require.Equal(t, []string{"c"}, idsOf(tracker.Start([]runtime.VersionedRecord{
		{Record: gameOf("a", runtime.StatusStopped)}, {Record: gameOf("b", runtime.StatusStopped)},
	})))
	require.Empty(t, tracker.Observe(ports.RuntimeEvent{Type: ports.EventResync}))
	require.Empty(t, tracker.Observe(eventOf(ports.EventSnapshot, gameOf("b", runtime.StatusStopped))))
	require.Equal(t, []string{"a"}, idsOf(tracker.Observe(ports.RuntimeEvent{Type: ports.EventSynced})))
	require.Equal(t, []string{"b"}, idsOf(tracker.Observe(ports.RuntimeEvent{Type: ports.EventDeleted, GameID: "b"})))
	require.True(t, tracker.IsDone())
}
