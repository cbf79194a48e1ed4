package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func watchFilterTests() []contractTest {
	return []contractTest{
		{name: "a snapshot contains only records of the status", test: testFilterSnapshot(ports.WatchOptions{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}}, GameName(0), GameName(3))},
		{name: "a snapshot contains only records of the region", test: testFilterSnapshot(ports.WatchOptions{RecordFilter: ports.RecordFilter{Regions: []string{"us"}}}, GameName(3), GameName(4), GameName(5))},
		{name: "a snapshot contains only records of the node", test: testFilterSnapshot(ports.WatchOptions{RecordFilter: ports.RecordFilter{Nodes: []string{"node-0"}}}, GameName(0), GameName(1), GameName(2), GameName(3), GameName(4), GameName(5))},
		{name: "a snapshot contains only the record of the game", test: testFilterSnapshot(ports.WatchOptions{GameID: GameName(4)}, GameName(4))},
		{name: "a snapshot contains only records that match all filters", test: testFilterSnapshot(ports.WatchOptions{RecordFilter: ports.RecordFilter{Regions: []string{"us"}, Statuses: []runtime.Status{runtime.StatusStopped}}}, GameName(4))},
		{name: "a snapshot contains only records with the labels", test: testFilterSnapshot(ports.WatchOptions{RecordFilter: ports.RecordFilter{Labels: selector("env in (dev,prod),mode!=ranked")}}, GameName(1), GameName(3), GameName(4))},
		{name: "the changes by which the labels of a game start and stop to match are delivered", test: testFilterLabels},
		{name: "the change by which a game enters the status is delivered", test: testFilterEnters},
		{name: "the change by which a game leaves the status is delivered", test: testFilterLeaves},
		{name: "a change of region is delivered to the watches of both regions", test: testFilterRegion},
		{name: "a change of a game outside the filter is not delivered", test: testFilterOutside},
		{name: "an insert of a game outside the filter is not delivered", test: testFilterOutsideInsert},
		{name: "a watch of one game delivers no other game", test: testFilterGame},
		{name: "a watch of a game without a record delivers its insert", test: testFilterByAbsentGame},
		{name: "a filtered watch that resumes delivers exactly the matching changes", test: testFilterResume},
		{name: "a change is delivered only if one of its records matches all filters", test: testFilterCombined},
	}
}

func testFilterSnapshot(options ports.WatchOptions, want ...string) func(*testing.T, Harness, Store) {
	return func(t *testing.T, _ Harness, s Store) {
		putVariedGames(t, s, 6)
		records, _ := openWatch(t, s, options).readSnapshot()
		require.ElementsMatch(t, want, gameIDs(records))
	}
}

func testFilterEnters(t *testing.T, _ Harness, s Store) {
	before := putRecord(t, s, StoppedRecord("a"))
	w := openSyncedWatch(t, s, ports.WatchOptions{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}})
	requireChange(t, w, ports.EventTransitioned, &before.Record, applyTransition(t, s, resumeInput("a", 5)))
}

func testFilterLeaves(t *testing.T, _ Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	w := openSyncedWatch(t, s, ports.WatchOptions{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}})
	requireChange(t, w, ports.EventTransitioned, &before.Record, applyTransition(t, s, stopInput("a", 5)))
	rerun := putRecord(t, s, RunningRecord("a"))
	require.Equal(t, rerun.Revision, w.nextChange().Revision)
	requireChange(t, w, ports.EventUpserted, &rerun.Record, putRecord(t, s, StoppedRecord("a")))
}

func testFilterRegion(t *testing.T, _ Harness, s Store) {
	movedRecord := RunningRecord("a")
	movedRecord.Region = "us"
	before := putRecord(t, s, RunningRecord("a"))
	oldRegionWatch, newRegionWatch := openSyncedWatch(t, s, ports.WatchOptions{RecordFilter: ports.RecordFilter{Regions: []string{before.Record.Region}}}), openSyncedWatch(t, s, ports.WatchOptions{RecordFilter: ports.RecordFilter{Regions: []string{"us"}}})
	record := putRecord(t, s, movedRecord)
	requireChange(t, oldRegionWatch, ports.EventUpserted, &before.Record, record)
	requireChange(t, newRegionWatch, ports.EventUpserted, &before.Record, record)
}

func testFilterLabels(t *testing.T, _ Harness, s Store) {
	labeled := RunningRecord("a")
	labeled.Labels = map[string]string{"env": "prod", "mode": "ranked"}
	other := RunningRecord("a")
	other.Labels = map[string]string{"env": "dev"}
	before := putRecord(t, s, other)
	w := openSyncedWatch(t, s, ports.WatchOptions{RecordFilter: ports.RecordFilter{Labels: selector("env=prod,mode")}})
	first := putRecord(t, s, labeled)
	requireChange(t, w, ports.EventUpserted, &before.Record, first)
	second := putRecord(t, s, other)
	requireChange(t, w, ports.EventUpserted, &first.Record, second)
	putRecord(t, s, RunningRecord("a"))
	requireChange(t, w, ports.EventUpserted, Pointer(RunningRecord("a")), putRecord(t, s, labeled))
}

func testFilterOutside(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	w := openSyncedWatch(t, s, ports.WatchOptions{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRemoved}}})
	alternateStatus(t, s, "a", 5)
	last := applyTransition(t, s, TransitionInput("a", runtime.StatusStopped, runtime.StatusRemoved, 50))
	require.Equal(t, last.Revision, w.nextChange().Revision)
}

func testFilterOutsideInsert(t *testing.T, _ Harness, s Store) {
	w := openSyncedWatch(t, s, ports.WatchOptions{RecordFilter: ports.RecordFilter{Nodes: []string{"node-2"}}})
	putRecord(t, s, RunningRecord("a"))
	other := RunningRecord("b")
	other.Node = "node-2"
	requireChange(t, w, ports.EventUpserted, nil, putRecord(t, s, other))
}

func testFilterGame(t *testing.T, _ Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	putRecord(t, s, RunningRecord("b"))
	w := openSyncedWatch(t, s, ports.WatchOptions{GameID: "a"})
	alternateStatus(t, s, "b", 5)
	requireChange(t, w, ports.EventTransitioned, &before.Record, applyTransition(t, s, stopInput("a", 5)))
}

func testFilterByAbsentGame(t *testing.T, _ Harness, s Store) {
	w := openWatch(t, s, ports.WatchOptions{GameID: "a"})
	records, _ := w.readSnapshot()
	require.Empty(t, records)
	putRecord(t, s, RunningRecord("b"))
	requireChange(t, w, ports.EventUpserted, nil, putRecord(t, s, RunningRecord("a")))
}

func testFilterResume(t *testing.T, _ Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	putGameHistories(t, s)
	stoppedAt := applyTransition(t, s, stopInput("a", 5))
	putGameHistories(t, s)
	end := putRecord(t, s, removedRecord("a"))
	w := openWatch(t, s, ports.WatchOptions{FromRevision: first.Revision, GameID: "a"})
	require.Equal(t, []int64{stoppedAt.Revision, end.Revision}, eventRevisions(w.readUntil(end.Revision)))
}

// testFilterCombined changes a game so that each filter matches one of the two records,
// but neither record matches both filters: such a change is not delivered.
func testFilterCombined(t *testing.T, _ Harness, s Store) {
	otherRegion := RunningRecord("a")
	otherRegion.Region = "us"
	putRecord(t, s, otherRegion)
	w := openSyncedWatch(t, s, ports.WatchOptions{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}, Regions: []string{"eu-west"}}})
	putRecord(t, s, StoppedRecord("a"))
	requireChange(t, w, ports.EventTransitioned, Pointer(StoppedRecord("a")), applyTransition(t, s, resumeInput("a", 5)))
}
