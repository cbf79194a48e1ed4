package storetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func ledgerBehaviours() []behaviour {
	return []behaviour{
		{name: "History of a game without a record is ErrNotFound", test: historyMissing},
		{name: "an insert leaves an entry from no status", test: historyInsert},
		{name: "an overwrite's entry is from the status before", test: historyOverwrite},
		{name: "a transition's entry tells everything of it", test: historyTransition},
		{name: "entries come newest first and are numbered without gaps", test: historyOrder},
		{name: "the newest entry tells how the present record came to be", test: historyNewest},
		{name: "a bounded number of entries is kept, the newest", test: historyBounded},
		{name: "actor and reason may be empty and are kept as text", test: historyText},
		{name: "games have ledgers of their own", test: historyPerGame},
		{name: "a returned ledger shares no memory with the store", test: historySharesNothing},
	}
}

func historyMissing(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("other"))
	entries, err := s.History(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.Empty(t, entries)
}

func historyInsert(t *testing.T, _ Harness, s ports.Store) {
	written, err := s.Put(t.Context(), ports.PutInput{
		Record: running("a"),
		Origin: ports.Origin{OperationID: "op-1", Actor: "lobby", Reason: "first start"},
	})
	require.NoError(t, err)
	require.Equal(t, []runtime.LedgerEntry{{
		Seq: 1, From: "", To: runtime.StatusRunning, At: instant(1),
		OperationID: "op-1", Actor: "lobby", Reason: "first start",
		ContainerID: "container-1", Image: "registry.example/engine:1.4.2",
		Revision: written.Revision,
	}}, stateOf(t, s, "a").history)
}

func historyOverwrite(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, removed("a"))
	put(t, s, running("a"))
	newest := stateOf(t, s, "a").history[0]
	require.Equal(t, runtime.StatusRemoved, newest.From)
	require.Equal(t, runtime.StatusRunning, newest.To)
	require.Equal(t, int64(2), newest.Seq)
}

func historyTransition(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	moved, err := s.Transition(t.Context(), ports.TransitionInput{
		UpdateStatusInput: move("a", runtime.StatusRunning, runtime.StatusRemoved, 5),
		Origin:            ports.Origin{OperationID: "op-2", Actor: "cleanup", Reason: "season over"},
	})
	require.NoError(t, err)
	require.Equal(t, runtime.LedgerEntry{
		Seq: 2, From: runtime.StatusRunning, To: runtime.StatusRemoved, At: instant(5),
		OperationID: "op-2", Actor: "cleanup", Reason: "season over",
		ContainerID: "", Image: "registry.example/engine:1.4.2",
		Revision: moved.Revision,
	}, stateOf(t, s, "a").history[0])
}

// pingPong stops and resumes a running game, n writes in all.
func pingPong(t *testing.T, s ports.Store, gameID string, n int) []runtime.VersionedRecord {
	t.Helper()
	written := make([]runtime.VersionedRecord, 0, n)
	for i := range n {
		input := stop(gameID, 10+i)
		if i%2 == 1 {
			input = resume(gameID, 10+i)
		}
		written = append(written, transition(t, s, input))
	}
	return written
}

// requireContiguous fails unless the entries count down without a gap and each
// follows from the one before it.
func requireContiguous(t *testing.T, newestFirst []runtime.LedgerEntry) {
	t.Helper()
	for i := 1; i < len(newestFirst); i++ {
		newer, older := newestFirst[i-1], newestFirst[i]
		require.Equal(t, newer.Seq-1, older.Seq, "sequence")
		require.Less(t, older.Revision, newer.Revision, "revisions")
		require.Equal(t, older.To, newer.From, "an entry starts where the one before it ended")
	}
}

func historyOrder(t *testing.T, _ Harness, s ports.Store) {
	want := []int64{put(t, s, running("a")).Revision}
	for _, written := range pingPong(t, s, "a", 9) {
		want = append([]int64{written.Revision}, want...)
	}
	entries := stateOf(t, s, "a").history
	requireContiguous(t, entries)
	got := []int64{}
	for _, entry := range entries {
		got = append(got, entry.Revision)
	}
	require.Equal(t, want, got)
	require.Equal(t, int64(10), entries[0].Seq)
}

func historyNewest(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	for range 5 {
		pingPong(t, s, "a", 2)
		now := stateOf(t, s, "a")
		newest := now.history[0]
		require.Equal(t, now.Revision, newest.Revision)
		require.Equal(t, now.Record.Status, newest.To)
		require.Equal(t, now.Record.CurrentContainerID, newest.ContainerID)
		require.Equal(t, now.Record.CurrentImageRef, newest.Image)
		require.Equal(t, now.Record.LastOpAt, newest.At)
	}
}

func historyBounded(t *testing.T, _ Harness, s ports.Store) {
	const writes = 101
	put(t, s, running("a"))
	pingPong(t, s, "a", writes-1)
	entries := stateOf(t, s, "a").history
	require.NotEmpty(t, entries)
	require.Less(t, len(entries), writes, "the ledger is bounded")
	require.Equal(t, int64(writes), entries[0].Seq)
	requireContiguous(t, entries)
}

func historyText(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	for i, text := range []string{"", "ops@example.org", "Jörg 🎲", `"quoted" <b>&`, " spaces "} {
		_, err := s.Put(t.Context(), ports.PutInput{Record: running("a"), Origin: ports.Origin{Actor: text, Reason: text + text}})
		require.NoError(t, err)
		newest := stateOf(t, s, "a").history[0]
		require.Equal(t, text, newest.Actor, "actor %d", i)
		require.Equal(t, strings.Repeat(text, 2), newest.Reason, "reason %d", i)
	}
}

func historyPerGame(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	put(t, s, running("b"))
	pingPong(t, s, "a", 4)
	require.Len(t, stateOf(t, s, "a").history, 5)
	require.Len(t, stateOf(t, s, "b").history, 1)
}

func historySharesNothing(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	want := stateOf(t, s, "a").history
	stateOf(t, s, "a").history[0].Actor = "scribbled"
	require.Equal(t, want, stateOf(t, s, "a").history)
}
