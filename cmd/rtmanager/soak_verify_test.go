package main

import (
	"errors"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
)

// verify compares every game with the results that the clients received.
func (s *soak) verify() {
	s.t.Helper()
	for n := range soakGames {
		gameID := soakGame(n)
		page, err := s.d.client.Explain(s.t.Context(), gameID)
		if errors.Is(err, runtime.ErrNotFound) {
			require.Empty(s.t, s.finished[gameID], "%s is lost", gameID)
			continue
		}
		require.NoError(s.t, err)
		if page.Record == nil {
			require.Empty(s.t, s.finished[gameID], "%s has lost its record", gameID)
			require.Empty(s.t, page.Containers, "%s has containers but no record", gameID)
			continue
		}
		s.verifyContainers(page)
		s.verifyLedger(page)
		s.verifyOutcomes(gameID, page)
	}
	report, err := s.d.client.Check(s.t.Context(), false)
	require.NoError(s.t, err)
	require.Empty(s.t, report.Findings, "fsck")
}

func (s *soak) verifyContainers(page drift.Explanation) {
	s.t.Helper()
	want := map[string]container.State{}
	switch page.Record.Status {
	case runtime.StatusRunning:
		want[page.Record.CurrentContainerID] = container.StateRunning
	case runtime.StatusStopped:
		want[page.Record.CurrentContainerID] = container.StateExited
	case runtime.StatusRemoved:
	}
	have := map[string]container.State{}
	for _, c := range page.Containers {
		have[c.ID] = c.State
		if c.State == container.StateCreated {
			have[c.ID] = container.StateExited // patched while it was stopped
		}
	}
	require.Equal(s.t, want, have, "%s is %s: it must have its container and no other", page.GameID, page.Record.Status)
}

func (s *soak) verifyLedger(page drift.Explanation) {
	s.t.Helper()
	seen := map[string]bool{}
	for i, entry := range page.History {
		require.False(s.t, seen[entry.OperationID], "%s: %s wrote twice", page.GameID, entry.OperationID)
		seen[entry.OperationID] = true
		switch entry.From {
		case "", entry.To: // the first entry, or a record that was put a second time
		case runtime.StatusRemoved:
			require.Equal(s.t, runtime.StatusRunning, entry.To, "%s: entry %d", page.GameID, entry.Seq)
		default:
			require.NoError(s.t, runtime.Transition(entry.From, entry.To), "%s: entry %d", page.GameID, entry.Seq)
		}
		if i > 0 {
			require.Equal(s.t, entry.To, page.History[i-1].From, "%s: entry %d", page.GameID, page.History[i-1].Seq)
			require.Equal(s.t, entry.Seq+1, page.History[i-1].Seq, "%s", page.GameID)
		}
	}
}

// verifyOutcomes compares the recent outcomes of the game with the results that clients
// received for the same operations.
func (s *soak) verifyOutcomes(gameID string, page drift.Explanation) {
	s.t.Helper()
	for _, received := range s.finished[gameID] {
		if stored, isStored := page.Intent.OutcomeOf(received.OperationID); isStored {
			require.Equal(s.t, received.Failure, stored.Failure, "%s: %s", gameID, received.OperationID)
			require.Equal(s.t, received.Revision, stored.Revision, "%s: %s", gameID, received.OperationID)
		}
	}
	if len(s.finished[gameID]) > 0 {
		last := s.finished[gameID][len(s.finished[gameID])-1]
		require.NotEmpty(s.t, page.Intent.Recent, "%s: %s is missing", gameID, last.OperationID)
	}
}
