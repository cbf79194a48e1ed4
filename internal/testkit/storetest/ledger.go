package storetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func ledgerTests() []contractTest {
	return []contractTest{
		{name: "History of a game without a record is ErrNotFound", test: testHistoryMissing},
		{name: "an insert adds an entry with an empty From", test: testHistoryInsert},
		{name: "an overwrite adds an entry with the previous status in From", test: testHistoryOverwrite},
		{name: "the entry of a put has the time of the put if it has one", test: testHistoryPutTime},
		{name: "the entry of a transition has every field set", test: testHistoryTransition},
		{name: "entries are ordered newest first and numbered without gaps", test: testHistoryOrder},
		{name: "the newest entry describes the write of the current record", test: testHistoryNewest},
		{name: "the ledger keeps a bounded number of the newest entries", test: testHistoryBounded},
		{name: "actor and reason may be empty and are kept byte for byte", test: testHistoryText},
		{name: "each game has its own ledger", test: testHistoryPerGame},
		{name: "a returned ledger shares no memory with the store", test: testHistorySharesNothing},
	}
}

func testHistoryMissing(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("other"))
	entries, err := s.History(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.Empty(t, entries)
}

func testHistoryInsert(t *testing.T, _ Harness, s Store) {
	record, err := s.Put(t.Context(), ports.PutInput{
		Record: RunningRecord("a"),
		Origin: ports.Origin{OperationID: "op-1", Actor: "lobby", Reason: "first start"},
	})
	require.NoError(t, err)
	require.Equal(t, []runtime.LedgerEntry{{
		Seq: 1, From: "", To: runtime.StatusRunning, At: TimeAt(1),
		OperationID: "op-1", Actor: "lobby", Reason: "first start",
		ContainerID: "container-1", Image: "registry.example/engine:1.4.2",
		Revision: record.Revision,
	}}, readState(t, s, "a").history)
}

func testHistoryOverwrite(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, removedRecord("a"))
	putRecord(t, s, RunningRecord("a"))
	newest := readState(t, s, "a").history[0]
	require.Equal(t, runtime.StatusRemoved, newest.From)
	require.Equal(t, runtime.StatusRunning, newest.To)
	require.Equal(t, int64(2), newest.Seq)
}

// An adapter without fences is a client of the API, which does not offer the time either.
func testHistoryPutTime(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	require.Equal(t, RunningRecord("a").LastOpAt.UTC(), readState(t, s, "a").history[0].At)
	changed := RunningRecord("a")
	changed.Labels = map[string]string{"env": "prod"}
	_, err := s.Put(t.Context(), ports.PutInput{Record: changed, At: TimeAt(7)})
	if h.Fences == nil {
		require.ErrorIs(t, err, runtime.ErrInvalid)
		return
	}
	require.NoError(t, err)
	after := readState(t, s, "a")
	require.Equal(t, TimeAt(7), after.history[0].At)
	require.Equal(t, changed.LastOpAt.UTC(), after.Record.LastOpAt)
}

func testHistoryTransition(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	record, err := s.Transition(t.Context(), ports.TransitionInput{
		UpdateStatusInput: TransitionInput("a", runtime.StatusRunning, runtime.StatusRemoved, 5),
		Origin:            ports.Origin{OperationID: "op-2", Actor: "cleanup", Reason: "season over"},
	})
	require.NoError(t, err)
	require.Equal(t, runtime.LedgerEntry{
		Seq: 2, From: runtime.StatusRunning, To: runtime.StatusRemoved, At: TimeAt(5),
		OperationID: "op-2", Actor: "cleanup", Reason: "season over",
		ContainerID: "", Image: "registry.example/engine:1.4.2",
		Revision: record.Revision,
	}, readState(t, s, "a").history[0])
}

// alternateStatus stops and resumes a running game with n transitions. It returns the
// record after each.
func alternateStatus(t *testing.T, s Store, gameID string, n int) []runtime.VersionedRecord {
	t.Helper()
	records := make([]runtime.VersionedRecord, 0, n)
	for i := range n {
		input := stopInput(gameID, 10+i)
		if i%2 == 1 {
			input = resumeInput(gameID, 10+i)
		}
		records = append(records, applyTransition(t, s, input))
	}
	return records
}

// requireContiguous fails unless the sequence numbers decrease by one, the revisions
// decrease, and each entry starts from the status at which the older one ended.
func requireContiguous(t *testing.T, newestFirst []runtime.LedgerEntry) {
	t.Helper()
	for i := 1; i < len(newestFirst); i++ {
		newer, older := newestFirst[i-1], newestFirst[i]
		require.Equal(t, newer.Seq-1, older.Seq, "sequence")
		require.Less(t, older.Revision, newer.Revision, "revisions")
		require.Equal(t, older.To, newer.From, "From of an entry is To of the older one")
	}
}

func testHistoryOrder(t *testing.T, _ Harness, s Store) {
	want := []int64{putRecord(t, s, RunningRecord("a")).Revision}
	for _, record := range alternateStatus(t, s, "a", 9) {
		want = append([]int64{record.Revision}, want...)
	}
	entries := readState(t, s, "a").history
	requireContiguous(t, entries)
	got := []int64{}
	for _, entry := range entries {
		got = append(got, entry.Revision)
	}
	require.Equal(t, want, got)
	require.Equal(t, int64(10), entries[0].Seq)
}

func testHistoryNewest(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	for range 5 {
		alternateStatus(t, s, "a", 2)
		current := readState(t, s, "a")
		newest := current.history[0]
		require.Equal(t, current.Revision, newest.Revision)
		require.Equal(t, current.Record.Status, newest.To)
		require.Equal(t, current.Record.CurrentContainerID, newest.ContainerID)
		require.Equal(t, current.Record.CurrentImageRef, newest.Image)
		require.Equal(t, current.Record.LastOpAt, newest.At)
	}
}

func testHistoryBounded(t *testing.T, _ Harness, s Store) {
	const writes = 101
	putRecord(t, s, RunningRecord("a"))
	alternateStatus(t, s, "a", writes-1)
	entries := readState(t, s, "a").history
	require.NotEmpty(t, entries)
	require.Less(t, len(entries), writes, "the ledger is bounded")
	require.Equal(t, int64(writes), entries[0].Seq)
	requireContiguous(t, entries)
}

func testHistoryText(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	for i, text := range []string{"", "ops@example.org", "Jörg 🎲", `"quoted" <b>&`, " spaces "} {
		_, err := s.Put(t.Context(), ports.PutInput{Record: RunningRecord("a"), Origin: ports.Origin{Actor: text, Reason: text + text}})
		require.NoError(t, err)
		newest := readState(t, s, "a").history[0]
		require.Equal(t, text, newest.Actor, "actor %d", i)
		require.Equal(t, strings.Repeat(text, 2), newest.Reason, "reason %d", i)
	}
}

func testHistoryPerGame(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	putRecord(t, s, RunningRecord("b"))
	alternateStatus(t, s, "a", 4)
	require.Len(t, readState(t, s, "a").history, 5)
	require.Len(t, readState(t, s, "b").history, 1)
}

func testHistorySharesNothing(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	want := readState(t, s, "a").history
	readState(t, s, "a").history[0].Actor = "mutated"
	require.Equal(t, want, readState(t, s, "a").history)
}
