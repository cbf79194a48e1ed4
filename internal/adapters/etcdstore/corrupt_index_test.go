package etcdstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// corruption is one way to break index or ledger, and what follows from it.
type corruption struct {
	harm func(r fixture)
	// findings are the kinds that Check reports, by key.
	finds map[string]ports.CheckFindingKind
	// rejects is the key that writes of "bad" name; empty if they pass.
	rejects string
	// listed is the status whose list names the key.
	seen runtime.Status
	// isRepairable means that a repair leaves no finding.
	clean bool
}

const (
	badRunning = "/runtimes-by-status/running/bad"
	badStopped = "/runtimes-by-status/stopped/bad"
	badEntry   = "/transitions/bad/01"
)

func corruptions() map[string]corruption {
	putRaw := func(key, value string) func(fixture) { return func(r fixture) { r.putRaw(key, value) } }
	deleteRaw := func(key string) func(fixture) { return func(r fixture) { r.deleteRaw(key) } }
	entry := `{"seq":%d,"from":"","to":"%s","at":"2026-03-01T12:00:00Z","operation_id":"x","actor":"","reason":"","container_id":"container-1","image":""}`
	return map[string]corruption{
		"index key missing": {
			harm: deleteRaw(badRunning), rejects: badRunning, seen: runtime.StatusRunning, clean: true,
			finds: map[string]ports.CheckFindingKind{badRunning: ports.FindingIndexMissing},
		},
		"index key duplicated": {
			harm: putRaw(badStopped, "container-1"), rejects: badStopped, seen: runtime.StatusStopped, clean: true,
			finds: map[string]ports.CheckFindingKind{badStopped: ports.FindingIndexExtra},
		},
		"index key of another container": {
			harm: putRaw(badRunning, "container-2"), rejects: badRunning, seen: runtime.StatusRunning, clean: true,
			finds: map[string]ports.CheckFindingKind{badRunning: ports.FindingIndexValue},
		},
		"index key under another status": {
			harm: func(r fixture) { r.deleteRaw(badRunning); r.putRaw(badStopped, "container-1") }, rejects: badRunning, seen: runtime.StatusStopped, clean: true,
			finds: map[string]ports.CheckFindingKind{badRunning: ports.FindingIndexMissing, badStopped: ports.FindingIndexExtra},
		},
		"index key of an unknown status": {
			harm: putRaw("/runtimes-by-status/paused/bad", "container-1"), seen: runtime.StatusRunning, clean: true,
			finds: map[string]ports.CheckFindingKind{"/runtimes-by-status/paused/bad": ports.FindingIndexExtra},
		},
		"index key of no game": {
			harm: putRaw("/runtimes-by-status/running/ghost", "x"), seen: runtime.StatusRunning, clean: true,
			finds: map[string]ports.CheckFindingKind{"/runtimes-by-status/running/ghost": ports.FindingIndexExtra},
		},
		"index key that is no key": {
			harm: putRaw("/runtimes-by-status/running/a/b", "x"), seen: runtime.StatusRunning, clean: true,
			finds: map[string]ports.CheckFindingKind{"/runtimes-by-status/running/a/b": ports.FindingIndexExtra},
		},
		"newest ledger entry missing": {
			harm: deleteRaw(badEntry), clean: true,
			finds: map[string]ports.CheckFindingKind{badEntry: ports.FindingLedgerMissing},
		},
		"newest ledger entry of another write": {
			harm: putRaw(badEntry, fmt.Sprintf(entry, 1, "removed")), clean: true,
			finds: map[string]ports.CheckFindingKind{badEntry: ports.FindingLedgerMismatch},
		},
		"newest ledger entry unreadable": {
			harm:  putRaw(badEntry, "garbage"),
			finds: map[string]ports.CheckFindingKind{badEntry: ports.FindingLedgerUnreadable},
		},
		"ledger entry in another's slot": {
			harm:  putRaw("/transitions/bad/07", fmt.Sprintf(entry, 3, "running")),
			finds: map[string]ports.CheckFindingKind{"/transitions/bad/07": ports.FindingLedgerUnreadable},
		},
		"ledger key that is no key": {
			harm:  putRaw("/transitions/bad/99", fmt.Sprintf(entry, 3, "running")),
			finds: map[string]ports.CheckFindingKind{"/transitions/bad/99": ports.FindingKeyForeign},
		},
	}
}

func TestCorruptIndexAndLedger(t *testing.T) {
	t.Parallel()
	for name, d := range corruptions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newCorruptFixture(t)
			d.harm(r)
			before := r.dump()
			if d.rejects != "" {
				r.requireWritesRejected("bad", d.rejects)
			}
			if d.seen != "" {
				records, err := r.uncached().ListByStatus(t.Context(), d.seen)
				require.ErrorIs(t, err, runtime.ErrCorrupt)
				named := false
				for key := range d.finds {
					named = named || strings.Contains(err.Error(), r.prefix+key)
				}
				require.True(t, named, "ListByStatus names none of the keys: %v", err)
				require.Contains(t, idsOf(records), map[runtime.Status]string{runtime.StatusRunning: "good-1", runtime.StatusStopped: "good-2"}[d.seen])
			}
			requireFindings(t, r, d, false)
			require.Equal(t, before, r.dump(), "a check without repair changed a key")
			requireFindings(t, r, d, true)
			requireOnlyRepaired(t, r, d, before)
		})
	}
}

func requireFindings(t *testing.T, r fixture, d corruption, repair bool) {
	t.Helper()
	report, err := r.Check(t.Context(), repair)
	require.NoError(t, err)
	found := map[string]ports.CheckFindingKind{}
	for _, f := range report.Findings {
		found[strings.TrimPrefix(f.Key, r.prefix)] = f.Kind
		require.Equal(t, repair && d.clean, f.Repaired, "%+v", f)
		require.Empty(t, f.RepairError)
		require.Equal(t, d.clean, f.Repair != "", "%+v", f)
	}
	require.Equal(t, d.finds, found)
	require.Equal(t, repair && d.clean, report.IsClean())
}

// requireOnlyRepaired requires that a repair has changed no key that was good.
func requireOnlyRepaired(t *testing.T, r fixture, d corruption, before map[string]rawValue) {
	t.Helper()
	after := r.dump()
	for key, was := range before {
		if _, bad := d.finds[key]; !bad {
			require.Equal(t, was, after[key], "the repair changed %s", key)
		}
	}
	if !d.clean {
		require.Equal(t, before, after, "the repair changed a corrupt value")
		return
	}
	r.requireClean()
	requireInvariants(t, 0, r.dump())
	r.transition("bad", runtime.StatusRunning, runtime.StatusStopped)
	r.requireClean()
}

// TestIndexOfANewerVersionIsKept has a record and its index under a status that only a
// newer version knows: the index key is not one too many.
func TestIndexOfANewerVersionIsKept(t *testing.T) {
	t.Parallel()
	r := newCorruptFixture(t)
	r.putRaw("/runtimes/new", `{"game_id":"new","status":"paused","current_container_id":"c-1","schema":2}`)
	r.putRaw("/runtimes-by-status/paused/new", "c-1")
	before := r.dump()
	r.requireFinding(ports.FindingRecordUnreadable, "/runtimes/new", "new", "")
	_, err := r.Check(t.Context(), true)
	require.NoError(t, err)
	require.Equal(t, before, r.dump(), "the repair changed keys of an unknown status")
}

func TestDanglingIndexIsReportedWithItsGame(t *testing.T) {
	t.Parallel()
	r := newCorruptFixture(t)
	r.putRaw("/runtimes-by-status/running/a%2Fb", "x")
	page, err := r.uncached().ListPage(t.Context(), ports.PageQuery{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}, Limit: 10})
	require.NoError(t, err)
	require.Len(t, page.Corrupt, 1)
	r.requireCorrupt(page.Corrupt[0], "/runtimes-by-status/running/a%2Fb", "a/b", "ListPage")
}

func TestDanglingIndexRejectsTheInsert(t *testing.T) {
	t.Parallel()
	r := newCorruptFixture(t)
	r.putRaw("/runtimes-by-status/stopped/new", "x")
	before := r.dump()
	r.requireCorrupt(r.Upsert(t.Context(), runningRecord("new")), "/runtimes-by-status/stopped/new", "new", "insert")
	require.Equal(t, before, r.dump())
}

func TestCorruptLedgerDoesNotBlockTheGame(t *testing.T) {
	t.Parallel()
	r := newCorruptFixture(t)
	r.transition("bad", runtime.StatusRunning, runtime.StatusStopped)
	r.putRaw(badEntry, "garbage")
	entries, err := r.History(t.Context(), "bad")
	r.requireCorrupt(err, badEntry, "bad", "History")
	require.Len(t, entries, 1, "the good entries are returned")
	require.EqualValues(t, 2, entries[0].Seq)
	r.transition("bad", runtime.StatusStopped, runtime.StatusRunning)
	require.Equal(t, "garbage", r.value(badEntry), "kept until the ring overwrites it")
}

// TestRetryIsDetectedWithoutTheLedger repeats the write that created the record, whose
// ledger entry is corrupt: the record itself names the write.
func TestRetryIsDetectedWithoutTheLedger(t *testing.T) {
	t.Parallel()
	r := newCorruptFixture(t)
	stop := ports.TransitionInput{UpdateStatusInput: stopInput("bad"), Origin: ports.Origin{OperationID: opID}}
	first, err := r.Transition(t.Context(), stop)
	require.NoError(t, err)
	r.putRaw("/transitions/bad/02", "garbage")
	second, err := r.Transition(t.Context(), stop)
	require.NoError(t, err)
	require.Equal(t, first, second)
}
