package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Harness creates and controls the stores of one adapter. A nil function is a
// capability that the adapter does not have; the tests that need it do not run.
type Harness struct {
	// Open returns an empty store that shares no games with any other. It closes the
	// store by t.Cleanup. Stores may share one revision counter, as those in one etcd
	// do.
	Open func(t *testing.T) Store

	// OpenIsolated is Open for tests that compact: they would remove the history of
	// other stores with the same revision counter. Nil means that the stores of Open
	// do not share a counter.
	OpenIsolated func(t *testing.T) Store

	// Compact removes the store's history up to the revision.
	Compact func(t *testing.T, store Store, revision int64)

	// Delete deletes a game's record, index key and ledger at one revision, without
	// using the store.
	Delete func(t *testing.T, store Store, gameID string)

	// Fences is nil for an adapter that does not support fences.
	Fences *Fences

	// Conditions returns the writer of conditions of a store that Open returned. It is nil for
	// an adapter that does not write conditions, as the API does not.
	Conditions func(store Store) ports.ConditionWriter

	// RejectsInvalidRecords is set for an adapter whose server accepts only records that
	// pass RuntimeRecord.Validate, as the API does.
	RejectsInvalidRecords bool

	// NewModel returns an empty model store; modeltest.Run compares the adapter with it.
	// Run does not use it.
	NewModel func() Model
}

// Model is a store whose behavior is known to be right. Its history can be controlled
// directly.
type Model interface {
	Store
	// DeleteKeys deletes the game's record and ledger at one new revision.
	DeleteKeys(gameID string)
	// Compact removes the history up to the revision.
	Compact(revision int64) error
}

// Fences grants and revokes fences.
type Fences struct {
	// Grant returns a fence that is valid until it is revoked.
	Grant func(t *testing.T, store Store) node.Fence
	// Revoke invalidates the fence, as if the leader's lease had expired.
	Revoke func(t *testing.T, store Store, fence node.Fence)
}

// contractTest is the test of one sentence of a contract.
type contractTest struct {
	name string
	test func(t *testing.T, h Harness, s Store)
	// isIsolated is set for tests that compact.
	isIsolated bool
}

// Run runs every contract test on a store of its own, in parallel. After each test it
// checks that the store's records, index and ledger agree.
func Run(t *testing.T, h Harness) {
	groups := []struct {
		name  string
		tests []contractTest
	}{
		{"read", readTests()},
		{"local read", localReadTests()},
		{"upsert", upsertTests(h)},
		{"rejection", rejectionTests()},
		{"game id", gameIDTests()},
		{"transition", transitionTests()},
		{"conflict", conflictTests()},
		{"put", putTests()},
		{"condition", conditionTests(h)},
		{"operation id", operationIDTests(h)},
		{"fence", fenceTests(h)},
		{"page", pageTests()},
		{"scan", scanTests()},
		{"metadata", metadataTests()},
		{"ledger", ledgerTests()},
		{"race", raceTests()},
		{"watch", watchTests()},
		{"watch resume", watchResumeTests()},
		{"watch filter", watchFilterTests()},
		{"watch end", watchEndTests()},
		{"compaction", compactionTests(h)},
		{"delete", deleteTests(h)},
		{"deletion", deletionTests(h)},
		{"context", contextTests()},
		{"inspect", inspectTests()},
	}
	for _, group := range groups {
		if len(group.tests) == 0 {
			continue
		}
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					runTest(t, h, test)
				})
			}
		})
	}
}

func runTest(t *testing.T, h Harness, test contractTest) {
	open := h.Open
	if test.isIsolated && h.OpenIsolated != nil {
		open = h.OpenIsolated
	}
	store := open(t)
	test.test(t, h, store)
	requireCheckClean(t, store)
}

// requireCheckClean fails unless records, index and ledger agree.
func requireCheckClean(t *testing.T, s Store) {
	t.Helper()
	report, err := s.Check(t.Context(), false)
	require.NoError(t, err, "check")
	require.Empty(t, report.Findings, "check found violations")
	require.True(t, report.IsClean())
}

// requireEmpty fails unless the store has no records.
func requireEmpty(t *testing.T, s Store) {
	t.Helper()
	records, err := s.List(t.Context())
	require.NoError(t, err, "list")
	require.Empty(t, records, "the store must be empty")
}

// gameState is what a store returns for one game.
type gameState struct {
	runtime.VersionedRecord
	history []runtime.LedgerEntry
}

// readState reads the game's record and ledger.
func readState(t *testing.T, s Store, gameID string) gameState {
	t.Helper()
	record, err := s.GetVersioned(t.Context(), gameID)
	require.NoError(t, err, "get %q", gameID)
	history, err := s.History(t.Context(), gameID)
	require.NoError(t, err, "history of %q", gameID)
	return gameState{VersionedRecord: record, history: history}
}

// requireUnchanged fails if the game was written after before was read.
func requireUnchanged(t *testing.T, s Store, before gameState) {
	t.Helper()
	require.Equal(t, before, readState(t, s, before.Record.GameID), "the game must not change")
}
