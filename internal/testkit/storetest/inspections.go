package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func inspectTests() []contractTest {
	return []contractTest{
		{name: "Info returns an identity that does not change", test: testInfoIdentity},
		{name: "two stores have two identities", test: testInfoIdentities},
		{name: "Info's revision is not below the last write", test: testInfoRevision},
		{name: "Revision is not below the last write, nor above Info's", test: testRevision},
		{name: "Info returns the version of the key layout", test: testInfoSchema},
		{name: "Check of an empty store is clean", test: testCheckEmpty},
		{name: "Check counts records, index keys and ledger entries", test: testCheckCounts},
		{name: "Check with repair of a clean store changes nothing", test: testCheckRepairsNothing},
	}
}

func testInfoIdentity(t *testing.T, _ Harness, s Store) {
	first, err := s.Info(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, first.ID)
	putGameHistories(t, s)
	second, err := s.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, first.ID, second.ID)
	require.Empty(t, second.Alarms)
}

func testInfoIdentities(t *testing.T, h Harness, s Store) {
	first, err := s.Info(t.Context())
	require.NoError(t, err)
	other, err := h.Open(t).Info(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, first.ID, other.ID)
}

func testInfoRevision(t *testing.T, _ Harness, s Store) {
	require.Positive(t, currentRevision(t, s))
	for n := range 5 {
		record := putRecord(t, s, RunningRecord(GameName(n)))
		require.GreaterOrEqual(t, currentRevision(t, s), record.Revision)
	}
}

func testRevision(t *testing.T, _ Harness, s Store) {
	for n := range 5 {
		record := putRecord(t, s, RunningRecord(GameName(n)))
		revision, err := s.Revision(t.Context())
		require.NoError(t, err)
		require.GreaterOrEqual(t, revision, record.Revision)
		require.LessOrEqual(t, revision, currentRevision(t, s))
	}
}

func testInfoSchema(t *testing.T, _ Harness, s Store) {
	info, err := s.Info(t.Context())
	require.NoError(t, err)
	require.Positive(t, info.SchemaVersion)
}

func testCheckEmpty(t *testing.T, _ Harness, s Store) {
	report, err := s.Check(t.Context(), false)
	require.NoError(t, err)
	require.True(t, report.IsClean())
	require.Zero(t, report.Records)
	require.Zero(t, report.IndexKeys)
	require.Zero(t, report.LedgerEntries)
	require.Positive(t, report.Revision)
}

func testCheckCounts(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	putRecord(t, s, StoppedRecord("b"))
	last := applyTransition(t, s, stopInput("a", 5))
	report, err := s.Check(t.Context(), false)
	require.NoError(t, err)
	require.Equal(t, 2, report.Records)
	require.Equal(t, 2, report.IndexKeys)
	require.Equal(t, 3, report.LedgerEntries)
	require.GreaterOrEqual(t, report.Revision, last.Revision)
}

func testCheckRepairsNothing(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	alternateStatus(t, s, "a", 3)
	before := readState(t, s, "a")
	report, err := s.Check(t.Context(), true)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	requireUnchanged(t, s, before)
}
