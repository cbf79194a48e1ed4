package etcdstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// newCorruptFixture returns a store with two good games and "bad", which was good when it
// was written.
func newCorruptFixture(t *testing.T) fixture {
	t.Helper()
	r := sharedFixture(t)
	r.put(runningRecord("good-1"))
	r.put(stoppedRecord("good-2"))
	r.put(runningRecord("bad"))
	return r
}

// corruptRecords are values that this version cannot decode.
func corruptRecords() map[string]string {
	good := `{"game_id":"bad","status":"running","current_container_id":"container-1"`
	return map[string]string{
		"not JSON":              `garbage`,
		"empty":                 ``,
		"an array":              `[1,2]`,
		"null":                  `null`,
		"duplicate members":     good + `,"node":"a","node":"b"}`,
		"invalid UTF-8":         good + `,"node":"` + "\xff" + `"}`,
		"a newer schema":        good + `,"schema":2}`,
		"an unknown status":     strings.Replace(good, "running", "paused", 1) + `}`,
		"the id of another":     strings.Replace(good, "bad", "good-1", 1) + `}`,
		"truncated":             good,
		"a wrong type":          good + `,"generation":{}}`,
		"another kind of value": `{"version":2,"store_id":"x"}`,
	}
}

func TestCorruptRecordIsReportedAndKept(t *testing.T) {
	t.Parallel()
	for name, value := range corruptRecords() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newCorruptFixture(t)
			r.putRaw("/runtimes/bad", value)
			before := r.dump()

			r.requireReadsReport("/runtimes/bad", "bad", true)
			r.requireWritesRejected("bad", "/runtimes/bad")
			r.requireFinding(ports.FindingRecordUnreadable, "/runtimes/bad", "bad", "")

			report, err := r.Check(t.Context(), true)
			require.NoError(t, err)
			require.False(t, report.IsClean(), "a repair must not change it")
			require.Equal(t, before, r.dump(), "the store changed a corrupt value")
			r.transition("good-1", runtime.StatusRunning, runtime.StatusStopped)
		})
	}
}

// TestCorruptRecordWithoutIndex has corruption that the scan of one status alone would
// not find.
func TestCorruptRecordWithoutIndex(t *testing.T) {
	t.Parallel()
	r := newCorruptFixture(t)
	r.putRaw("/runtimes/new", "garbage")
	r.requireReadsReport("/runtimes/new", "new", true)
	r.requireWritesRejected("new", "/runtimes/new")
}

func TestForeignDeletionEpochIsReported(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	r.putRaw("/meta/deletion-epochs/7f", "any value")
	r.requireClean()
	r.putRaw("/meta/deletion-epochs/7F", "")
	r.requireFinding(ports.FindingKeyForeign, "/meta/deletion-epochs/7F", "", "")
}

func TestForeignKeyIsReportedAndKept(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"/runtimes/a/b", "/runtimes/%2f", "/runtimes/", "/runtimes/" + strings.Repeat("x", 300)} {
		r := newCorruptFixture(t)
		r.putRaw(key, handWritten("a/b", ""))
		before := r.dump()
		r.requireReadsReport(key, "", false)
		r.requireFinding(ports.FindingKeyForeign, key, "", "")
		_, err := r.Check(t.Context(), true)
		require.NoError(t, err)
		require.Equal(t, before, r.dump())
		r.transition("bad", runtime.StatusRunning, runtime.StatusStopped)
	}
}

// requireReadsReport requires that every read names the key, and that lists still
// return the good games.
func (r fixture) requireReadsReport(key, gameID string, ofGame bool) {
	r.t.Helper()
	ctx := r.t.Context()
	if ofGame {
		_, err := r.Get(ctx, gameID)
		r.requireCorrupt(err, key, gameID, "Get")
		_, err = r.GetVersioned(ctx, gameID)
		r.requireCorrupt(err, key, gameID, "GetVersioned")
		_, err = r.History(ctx, gameID)
		r.requireCorrupt(err, key, gameID, "History")
	}
	records, err := r.List(ctx)
	r.requireCorrupt(err, key, gameID, "List")
	require.Subset(r.t, idsOf(records), []string{"good-1", "good-2"})
	for status, good := range map[runtime.Status]string{runtime.StatusRunning: "good-1", runtime.StatusStopped: "good-2"} {
		records, err := r.ListByStatus(ctx, status)
		if status == runtime.StatusRunning {
			r.requireCorrupt(err, key, gameID, "ListByStatus")
		}
		require.Contains(r.t, idsOf(records), good)
	}
	page, err := r.ListPage(ctx, ports.PageQuery{Limit: 1})
	require.NoError(r.t, err)
	for page.Next != "" && len(page.Corrupt) == 0 {
		page, err = r.ListPage(ctx, ports.PageQuery{Limit: 1, Revision: page.Revision, After: page.Next})
		require.NoError(r.t, err)
	}
	require.Len(r.t, page.Corrupt, 1, "ListPage")
	r.requireCorrupt(page.Corrupt[0], key, gameID, "ListPage")
	r.requireSnapshotReports(key, gameID)
}

func (r fixture) requireSnapshotReports(key, gameID string) {
	r.t.Helper()
	var faults []error
	for event, err := range r.Watch(within(r.t, testTimeout), ports.WatchOptions{}) {
		if err != nil {
			require.Equal(r.t, gameID, event.GameID)
			require.Positive(r.t, event.Revision)
			faults = append(faults, err)
		}
		if event.Type == ports.EventSynced {
			break
		}
	}
	require.Len(r.t, faults, 1, "the snapshot of a watch")
	r.requireCorrupt(faults[0], key, gameID, "Watch")
}

func (r fixture) requireCorrupt(err error, key, gameID, what string) {
	r.t.Helper()
	fault, ok := errors.AsType[*runtime.CorruptError](err)
	require.True(r.t, ok, "%s: got %v, want the corruption at %s", what, err, key)
	require.Equal(r.t, r.prefix+key, fault.Key, what)
	require.Equal(r.t, gameID, fault.GameID, what)
	require.NotEmpty(r.t, fault.Reason, what)
}

// requireWritesRejected requires that every write of the game fails because of the key
// and changes nothing.
func (r fixture) requireWritesRejected(gameID, key string) {
	r.t.Helper()
	before := r.dump()
	for what, write := range map[string]func(context.Context) error{
		"upsert": func(ctx context.Context) error { return r.Upsert(ctx, runningRecord(gameID)) },
		"upsert to another status": func(ctx context.Context) error {
			return r.Upsert(ctx, stoppedRecord(gameID))
		},
		"put with an operation id": func(ctx context.Context) error {
			_, err := r.Put(ctx, ports.PutInput{Record: runningRecord(gameID), Origin: ports.Origin{OperationID: "x"}})
			return err
		},
		"transition": func(ctx context.Context) error { return r.UpdateStatus(ctx, stopInput(gameID)) },
		"guarded transition": func(ctx context.Context) error {
			input := transitionInput(gameID, runtime.StatusRunning, runtime.StatusRemoved)
			input.ExpectedContainerID = "container-1"
			return r.UpdateStatus(ctx, input)
		},
	} {
		r.requireCorrupt(write(r.t.Context()), key, gameID, what)
	}
	require.Equal(r.t, before, r.dump(), "a rejected write changed a key")
}

// requireFinding requires that Check finds exactly this.
func (r fixture) requireFinding(kind ports.CheckFindingKind, key, gameID, repair string) {
	r.t.Helper()
	report, err := r.Check(r.t.Context(), false)
	require.NoError(r.t, err)
	require.Len(r.t, report.Findings, 1, "%+v", report.Findings)
	f := report.Findings[0]
	require.Equal(r.t, kind, f.Kind)
	require.Equal(r.t, r.prefix+key, f.Key)
	require.Equal(r.t, gameID, f.GameID)
	require.NotEmpty(r.t, f.Detail)
	require.Contains(r.t, f.Repair, repair)
	require.Equal(r.t, repair == "", f.Repair == "", "what a repair would do: %q", f.Repair)
	require.False(r.t, report.IsClean())
}

func idsOf(records []runtime.RuntimeRecord) []string {
	var ids []string
	for _, rec := range records {
		ids = append(ids, rec.GameID)
	}
	return ids
}
