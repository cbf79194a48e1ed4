// Package storetest is the contract of package ports written as tests: every
// sentence there is a named behaviour here, and every adapter runs them all.
// RunModel compares an adapter with the model store on random programs.
package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Harness says how to get at an adapter and what it is able to do. A nil
// function is a capability that the adapter does not have; the behaviours that
// need it are then not registered.
type Harness struct {
	// Open returns a fresh and empty store that shares no games with any other,
	// and cleans up after itself by t.Cleanup. Stores may share one counter of
	// revisions, as those in one etcd do.
	Open func(t *testing.T) ports.Store

	// OpenAlone is Open for behaviours that compact, which would pull history
	// from under other stores with the same counter. Nil means that Open's stores
	// are alone already.
	OpenAlone func(t *testing.T) ports.Store

	// Compact makes the store forget what happened up to the revision.
	Compact func(t *testing.T, store ports.Store, revision int64)

	// Delete takes a game's record, index and ledger away behind the store's
	// back, in one revision.
	Delete func(t *testing.T, store ports.Store, gameID string)

	// Fences is nil for an adapter that cannot carry them.
	Fences *Fences

	// RefusesInvalidRecords is set for an adapter whose far side lets only such
	// records in as RuntimeRecord.Validate accepts, as the API does.
	RefusesInvalidRecords bool
}

// Fences makes leaders and ends their leadership.
type Fences struct {
	// Grant returns a fence that holds until it is revoked.
	Grant func(t *testing.T, store ports.Store) node.Fence
	// Revoke ends it, as if the leader's lease had run out.
	Revoke func(t *testing.T, store ports.Store, fence node.Fence)
}

// behaviour is one promise, named by a sentence, with the steps that prove it.
type behaviour struct {
	name string
	test func(t *testing.T, h Harness, s ports.Store)
	// alone is set for behaviours that compact
	alone bool
}

// Run proves every behaviour on a store of its own, in parallel, and after each
// of them that the store keeps its invariants.
func Run(t *testing.T, h Harness) {
	groups := []struct {
		name       string
		behaviours []behaviour
	}{
		{"read", readBehaviours()},
		{"local read", localBehaviours()},
		{"upsert", upsertBehaviours(h)},
		{"refusal", refusalBehaviours()},
		{"game id", idBehaviours()},
		{"transition", transitionBehaviours()},
		{"conflict", conflictBehaviours()},
		{"put", putBehaviours()},
		{"operation id", operationBehaviours()},
		{"fence", fenceBehaviours(h)},
		{"page", pageBehaviours()},
		{"ledger", ledgerBehaviours()},
		{"race", raceBehaviours()},
		{"watch", watchBehaviours()},
		{"watch resume", resumeBehaviours()},
		{"watch filter", filterBehaviours()},
		{"watch end", watchEndBehaviours()},
		{"compaction", compactionBehaviours(h)},
		{"deletion", deletionBehaviours(h)},
		{"context", contextBehaviours()},
		{"inspect", inspectBehaviours()},
	}
	for _, group := range groups {
		if len(group.behaviours) == 0 {
			continue
		}
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, b := range group.behaviours {
				t.Run(b.name, func(t *testing.T) {
					t.Parallel()
					prove(t, h, b)
				})
			}
		})
	}
}

func prove(t *testing.T, h Harness, b behaviour) {
	open := h.Open
	if b.alone && h.OpenAlone != nil {
		open = h.OpenAlone
	}
	store := open(t)
	b.test(t, h, store)
	requireClean(t, store)
}

// requireClean fails unless records, index and ledger agree.
func requireClean(t *testing.T, s ports.Store) {
	t.Helper()
	report, err := s.Check(t.Context(), false)
	require.NoError(t, err, "check")
	require.Empty(t, report.Findings, "check found broken rules")
	require.True(t, report.Clean())
}

// requireEmpty fails unless the store has no record at all.
func requireEmpty(t *testing.T, s ports.Store) {
	t.Helper()
	records, err := s.List(t.Context())
	require.NoError(t, err, "list")
	require.Empty(t, records, "the store was to stay empty")
}

// state is all that the store says of one game.
type state struct {
	runtime.VersionedRecord
	history []runtime.LedgerEntry
}

// stateOf reads the game's record and ledger.
func stateOf(t *testing.T, s ports.Store, gameID string) state {
	t.Helper()
	record, err := s.GetVersioned(t.Context(), gameID)
	require.NoError(t, err, "get %q", gameID)
	history, err := s.History(t.Context(), gameID)
	require.NoError(t, err, "history of %q", gameID)
	return state{VersionedRecord: record, history: history}
}

// requireUntouched fails if anything was written to the game since before.
func requireUntouched(t *testing.T, s ports.Store, before state) {
	t.Helper()
	require.Equal(t, before, stateOf(t, s, before.Record.GameID), "the game was to stay untouched")
}
