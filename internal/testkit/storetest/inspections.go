package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/ports"
)

func inspectBehaviours() []behaviour {
	return []behaviour{
		{name: "Info gives an identity that stays", test: infoIdentity},
		{name: "two stores have two identities", test: infoIdentities},
		{name: "Info's revision is not below the last write", test: infoRevision},
		{name: "Revision is not below the last write, nor above Info's", test: plainRevision},
		{name: "Info names the version of the layout", test: infoSchema},
		{name: "Check of an empty store is clean", test: checkEmpty},
		{name: "Check counts records, index keys and ledger entries", test: checkCounts},
		{name: "Check with repair of a clean store changes nothing", test: checkRepairsNothing},
	}
}

func infoIdentity(t *testing.T, _ Harness, s ports.Store) {
	first, err := s.Info(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, first.ID)
	lifeOfGames(t, s)
	second, err := s.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, first.ID, second.ID)
	require.Empty(t, second.Alarms)
}

func infoIdentities(t *testing.T, h Harness, s ports.Store) {
	mine, err := s.Info(t.Context())
	require.NoError(t, err)
	other, err := h.Open(t).Info(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, mine.ID, other.ID)
}

func infoRevision(t *testing.T, _ Harness, s ports.Store) {
	require.Positive(t, head(t, s))
	for n := range 5 {
		written := put(t, s, running(game(n)))
		require.GreaterOrEqual(t, head(t, s), written.Revision)
	}
}

func plainRevision(t *testing.T, _ Harness, s ports.Store) {
	for n := range 5 {
		written := put(t, s, running(game(n)))
		revision, err := s.Revision(t.Context())
		require.NoError(t, err)
		require.GreaterOrEqual(t, revision, written.Revision)
		require.LessOrEqual(t, revision, head(t, s))
	}
}

func infoSchema(t *testing.T, _ Harness, s ports.Store) {
	info, err := s.Info(t.Context())
	require.NoError(t, err)
	require.Positive(t, info.SchemaVersion)
}

func checkEmpty(t *testing.T, _ Harness, s ports.Store) {
	report, err := s.Check(t.Context(), false)
	require.NoError(t, err)
	require.True(t, report.Clean())
	require.Zero(t, report.Records)
	require.Zero(t, report.IndexKeys)
	require.Zero(t, report.LedgerEntries)
	require.Positive(t, report.Revision)
}

func checkCounts(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	put(t, s, stopped("b"))
	last := transition(t, s, stop("a", 5))
	report, err := s.Check(t.Context(), false)
	require.NoError(t, err)
	require.Equal(t, 2, report.Records)
	require.Equal(t, 2, report.IndexKeys)
	require.Equal(t, 3, report.LedgerEntries)
	require.GreaterOrEqual(t, report.Revision, last.Revision)
}

func checkRepairsNothing(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	pingPong(t, s, "a", 3)
	before := stateOf(t, s, "a")
	report, err := s.Check(t.Context(), true)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	requireUntouched(t, s, before)
}
