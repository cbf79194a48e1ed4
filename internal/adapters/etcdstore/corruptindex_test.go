package etcdstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// damage is one way to break index or ledger, and what becomes of it.
type damage struct {
	harm func(r rig)
	// finds are the kinds that Check names, by key.
	finds map[string]ports.CheckFindingKind
	// refuses is the key that writes of "bad" name; empty where they pass.
	refuses string
	// seen is the status whose list names the key.
	seen runtime.Status
	// clean tells that a repair mends everything.
	clean bool
}

const (
	badRunning = "/runtimes-by-status/running/bad"
	badStopped = "/runtimes-by-status/stopped/bad"
	badEntry   = "/transitions/bad/01"
)

func damages() map[string]damage {
	plant := func(key, value string) func(rig) { return func(r rig) { r.plant(key, value) } }
	uproot := func(key string) func(rig) { return func(r rig) { r.uproot(key) } }
	entry := `{"seq":%d,"from":"","to":"%s","at":"2026-03-01T12:00:00Z","operation_id":"x","actor":"","reason":"","container_id":"container-1","image":""}`
	return map[string]damage{
		"index key missing": {
			harm: uproot(badRunning), refuses: badRunning, seen: runtime.StatusRunning, clean: true,
			finds: map[string]ports.CheckFindingKind{badRunning: ports.FindingIndexMissing},
		},
		"index key doubled": {
			harm: plant(badStopped, "container-1"), refuses: badStopped, seen: runtime.StatusStopped, clean: true,
			finds: map[string]ports.CheckFindingKind{badStopped: ports.FindingIndexExtra},
		},
		"index key of another container": {
			harm: plant(badRunning, "container-2"), refuses: badRunning, seen: runtime.StatusRunning, clean: true,
			finds: map[string]ports.CheckFindingKind{badRunning: ports.FindingIndexValue},
		},
		"index key under another status": {
			harm: func(r rig) { r.uproot(badRunning); r.plant(badStopped, "container-1") }, refuses: badRunning, seen: runtime.StatusStopped, clean: true,
			finds: map[string]ports.CheckFindingKind{badRunning: ports.FindingIndexMissing, badStopped: ports.FindingIndexExtra},
		},
		"index key of an unknown status": {
			harm: plant("/runtimes-by-status/paused/bad", "container-1"), seen: runtime.StatusRunning, clean: true,
			finds: map[string]ports.CheckFindingKind{"/runtimes-by-status/paused/bad": ports.FindingIndexExtra},
		},
		"index key of no game": {
			harm: plant("/runtimes-by-status/running/ghost", "x"), seen: runtime.StatusRunning, clean: true,
			finds: map[string]ports.CheckFindingKind{"/runtimes-by-status/running/ghost": ports.FindingIndexExtra},
		},
		"index key that is no key": {
			harm: plant("/runtimes-by-status/running/a/b", "x"), seen: runtime.StatusRunning, clean: true,
			finds: map[string]ports.CheckFindingKind{"/runtimes-by-status/running/a/b": ports.FindingIndexExtra},
		},
		"newest ledger entry missing": {
			harm: uproot(badEntry), clean: true,
			finds: map[string]ports.CheckFindingKind{badEntry: ports.FindingLedgerMissing},
		},
		"newest ledger entry of another write": {
			harm: plant(badEntry, fmt.Sprintf(entry, 1, "removed")), clean: true,
			finds: map[string]ports.CheckFindingKind{badEntry: ports.FindingLedgerMismatch},
		},
		"newest ledger entry unreadable": {
			harm:  plant(badEntry, "garbage"),
			finds: map[string]ports.CheckFindingKind{badEntry: ports.FindingLedgerUnreadable},
		},
		"ledger entry in another's slot": {
			harm:  plant("/transitions/bad/07", fmt.Sprintf(entry, 3, "running")),
			finds: map[string]ports.CheckFindingKind{"/transitions/bad/07": ports.FindingLedgerUnreadable},
		},
		"ledger key that is no key": {
			harm:  plant("/transitions/bad/99", fmt.Sprintf(entry, 3, "running")),
			finds: map[string]ports.CheckFindingKind{"/transitions/bad/99": ports.FindingKeyForeign},
		},
	}
}

func TestDamagedIndexAndLedger(t *testing.T) {
	t.Parallel()
	for name, d := range damages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := damagedRig(t)
			d.harm(r)
			before := r.dump()
			if d.refuses != "" {
				r.requireWritesRefused("bad", d.refuses)
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
			require.Equal(t, before, r.dump(), "a check without repair changed something")
			requireFindings(t, r, d, true)
			requireOnlyMended(t, r, d, before)
		})
	}
}

func requireFindings(t *testing.T, r rig, d damage, repair bool) {
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
	require.Equal(t, repair && d.clean, report.Clean())
}

// requireOnlyMended wants a repair to have left every key alone that was good.
func requireOnlyMended(t *testing.T, r rig, d damage, before map[string]rawValue) {
	t.Helper()
	after := r.dump()
	for key, was := range before {
		if _, bad := d.finds[key]; !bad {
			require.Equal(t, was, after[key], "the repair touched %s", key)
		}
	}
	if !d.clean {
		require.Equal(t, before, after, "the repair changed what it cannot read")
		return
	}
	r.requireClean()
	requireInvariants(t, 0, r.dump())
	r.move("bad", runtime.StatusRunning, runtime.StatusStopped)
	r.requireClean()
}

// TestIndexOfANewerVersionIsLeftAlone has a record and its index under a status
// that only a newer version knows: what looks like one key too many is not.
func TestIndexOfANewerVersionIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := damagedRig(t)
	r.plant("/runtimes/new", `{"game_id":"new","status":"paused","current_container_id":"c-1","schema":2}`)
	r.plant("/runtimes-by-status/paused/new", "c-1")
	before := r.dump()
	r.requireFinding(ports.FindingRecordUnreadable, "/runtimes/new", "new", "")
	_, err := r.Check(t.Context(), true)
	require.NoError(t, err)
	require.Equal(t, before, r.dump(), "the repair touched what it does not understand")
}

func TestDanglingIndexIsReportedWithItsGame(t *testing.T) {
	t.Parallel()
	r := damagedRig(t)
	r.plant("/runtimes-by-status/running/a%2Fb", "x")
	page, err := r.uncached().ListPage(t.Context(), ports.PageQuery{Status: runtime.StatusRunning, Limit: 10})
	require.NoError(t, err)
	require.Len(t, page.Corrupt, 1)
	r.requireCorrupt(page.Corrupt[0], "/runtimes-by-status/running/a%2Fb", "a/b", "ListPage")
}

func TestDanglingIndexRefusesTheInsert(t *testing.T) {
	t.Parallel()
	r := damagedRig(t)
	r.plant("/runtimes-by-status/stopped/new", "x")
	before := r.dump()
	r.requireCorrupt(r.Upsert(t.Context(), runningRecord("new")), "/runtimes-by-status/stopped/new", "new", "insert")
	require.Equal(t, before, r.dump())
}

func TestDamagedLedgerDoesNotStopTheGame(t *testing.T) {
	t.Parallel()
	r := damagedRig(t)
	r.move("bad", runtime.StatusRunning, runtime.StatusStopped)
	r.plant(badEntry, "garbage")
	entries, err := r.History(t.Context(), "bad")
	r.requireCorrupt(err, badEntry, "bad", "History")
	require.Len(t, entries, 1, "the good entries come all the same")
	require.EqualValues(t, 2, entries[0].Seq)
	r.move("bad", runtime.StatusStopped, runtime.StatusRunning)
	require.Equal(t, "garbage", r.value(badEntry), "left until the ring passes over it")
}

// TestRepeatIsKnownWithoutTheLedger repeats the write that made the record, whose
// ledger entry is damaged: the record itself says who wrote it.
func TestRepeatIsKnownWithoutTheLedger(t *testing.T) {
	t.Parallel()
	r := damagedRig(t)
	stop := ports.TransitionInput{UpdateStatusInput: stopInput("bad"), Origin: ports.Origin{OperationID: opID}}
	first, err := r.Transition(t.Context(), stop)
	require.NoError(t, err)
	r.plant("/transitions/bad/02", "garbage")
	again, err := r.Transition(t.Context(), stop)
	require.NoError(t, err)
	require.Equal(t, first, again)
}
