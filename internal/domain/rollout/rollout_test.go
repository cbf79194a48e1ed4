package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/rollout"
)

// actions is the state after each action in each state; an absent one is rejected.
func TestActions(t *testing.T) {
	t.Parallel()
	type state struct {
		state  rollout.State
		isUndo bool
	}
	const pause, resume, undo, deletion = rollout.ActionPause, rollout.ActionResume, rollout.ActionUndo, rollout.ActionDelete
	for before, after := range map[state]map[rollout.Action]rollout.State{
		{rollout.StatePreparing, false}: {},
		{rollout.StateRunning, false}:   {pause: rollout.StatePaused, resume: rollout.StateRunning, undo: rollout.StateUndoing},
		{rollout.StatePaused, false}:    {pause: rollout.StatePaused, resume: rollout.StateRunning, undo: rollout.StateUndoing, deletion: rollout.StateDeleting},
		{rollout.StateCompleted, false}: {undo: rollout.StateUndoing, deletion: rollout.StateDeleting},
		{rollout.StateFailed, false}:    {resume: rollout.StateRunning, undo: rollout.StateUndoing, deletion: rollout.StateDeleting},
		{rollout.StateUndoing, true}:    {pause: rollout.StatePaused, resume: rollout.StateUndoing, undo: rollout.StateUndoing},
		{rollout.StatePaused, true}:     {pause: rollout.StatePaused, resume: rollout.StateUndoing, deletion: rollout.StateDeleting},
		{rollout.StateFailed, true}:     {resume: rollout.StateUndoing, deletion: rollout.StateDeleting},
		{rollout.StateUndone, true}:     {undo: rollout.StateUndone, deletion: rollout.StateDeleting},
		{rollout.StateDeleting, false}:  {deletion: rollout.StateDeleting},
	} {
		for _, action := range []rollout.Action{pause, resume, undo, deletion} {
			t.Run(fmt.Sprintf("%s of %s, undo %t", action, before.state, before.isUndo), func(t *testing.T) {
				t.Parallel()
				r := rollout.Rollout{ID: "ro-a", State: before.state, IsUndo: before.isUndo}
				hasChanged, err := r.Apply(rollout.Request{Action: action, Reason: "because"})
				want, isAllowed := after[action]
				if !isAllowed {
					require.ErrorIs(t, err, rollout.ErrState)
					want = before.state
				} else {
					require.NoError(t, err)
				}
				require.Equal(t, want, r.State)
				require.Equal(t, want != before.state, hasChanged)
			})
		}
	}
	busy := rollout.Rollout{State: rollout.StatePaused, Counts: rollout.Counts{InProgress: 1}}
	_, err := busy.Apply(rollout.Request{Action: deletion})
	require.ErrorIs(t, err, rollout.ErrState)
}

func games(states ...rollout.GameState) []rollout.Game {
	found := make([]rollout.Game, len(states))
	for i, state := range states {
		found[i] = rollout.Game{GameID: fmt.Sprintf("g%d", i), State: state, Attempt: 1, PreviousImage: "a:1"}
	}
	return found
}

func TestNextGames(t *testing.T) {
	t.Parallel()
	const pending, updating, updated, failed, skipped = rollout.GamePending, rollout.GameUpdating, rollout.GameUpdated, rollout.GameFailed, rollout.GameSkipped
	for name, c := range map[string]struct {
		rollout rollout.Rollout
		games   []rollout.Game
		unready []string
		want    []string
		blocked string
	}{
		"as many at a time as allowed": {
			rollout: rollout.Rollout{State: rollout.StateRunning, Attempt: 1, Spec: rollout.Spec{MaxParallel: 3}},
			games:   games(updated, updating, pending, pending, pending), want: []string{"g2", "g3"},
		},
		"none while it is paused": {
			rollout: rollout.Rollout{State: rollout.StatePaused, Attempt: 1, Spec: rollout.Spec{MaxParallel: 3}}, games: games(pending),
		},
		"failed games only in the next attempt": {
			rollout: rollout.Rollout{State: rollout.StateRunning, Attempt: 2, Spec: rollout.Spec{MaxParallel: 3}}, games: games(failed, skipped, updated), want: []string{"g0"},
		},
		"failed games are left": {
			rollout: rollout.Rollout{State: rollout.StateRunning, Attempt: 2, SkipsFailed: true, Spec: rollout.Spec{MaxParallel: 3}}, games: games(failed),
		},
		"games in progress are unavailable": {
			rollout: rollout.Rollout{State: rollout.StateRunning, Attempt: 1, Spec: rollout.Spec{MaxParallel: 9, MaxUnavailable: 2}},
			games:   games(updating, pending, pending), want: []string{"g1"},
		},
		"other games wait for those that are not ready": {
			rollout: rollout.Rollout{State: rollout.StateRunning, Attempt: 1, Spec: rollout.Spec{MaxParallel: 9, MaxUnavailable: 1}},
			games:   games(updated, pending, pending), unready: []string{"g0", "g2"}, want: []string{"g2"},
			blocked: "waits: 2 of at most 1 games that may be not ready: g0, g2",
		},
		"skipped games do not count": {
			rollout: rollout.Rollout{State: rollout.StateRunning, Attempt: 1, Spec: rollout.Spec{MaxParallel: 9, MaxUnavailable: 1}},
			games:   games(skipped, pending), unready: []string{"g0"}, want: []string{"g1"},
		},
		"an undo reverts changed games": {
			rollout: rollout.Rollout{State: rollout.StateUndoing, IsUndo: true, Attempt: 2, Spec: rollout.Spec{MaxParallel: 9}},
			games:   games(updated, pending, failed, skipped, rollout.GameUnchanged, rollout.GameReverted), want: []string{"g0", "g2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			unready := map[string]bool{}
			for _, id := range c.unready {
				unready[id] = true
			}
			next, blocked := c.rollout.Next(c.games, func(gameID string) bool { return !unready[gameID] })
			var got []string
			for _, game := range next {
				got = append(got, game.GameID)
			}
			require.Equal(t, c.want, got)
			require.Equal(t, c.blocked, blocked)
		})
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		state  rollout.State
		isUndo bool
		games  []rollout.Game
		want   rollout.State
	}{
		{rollout.StateRunning, false, games(rollout.GameUpdated, rollout.GameSkipped, rollout.GameUnchanged), rollout.StateCompleted},
		{rollout.StateRunning, false, games(rollout.GameUpdated, rollout.GameFailed), rollout.StateFailed},
		{rollout.StateRunning, false, games(rollout.GameUpdating), rollout.StateRunning},
		{rollout.StatePaused, false, games(rollout.GameUpdated), rollout.StatePaused},
		{rollout.StateUndoing, true, games(rollout.GameReverted, rollout.GamePending), rollout.StateUndone},
		{rollout.StateUndoing, true, games(rollout.GameRevertFailed), rollout.StateFailed},
	} {
		r := rollout.Rollout{State: c.state, IsUndo: c.isUndo, Attempt: 1, Counts: rollout.Count(c.games)}
		hasEnded := r.Finish(c.games, now)
		require.Equal(t, c.want, r.State)
		require.Equal(t, c.want.HasEnded(), hasEnded)
	}
}

func TestOperationIDs(t *testing.T) {
	t.Parallel()
	game := rollout.Game{GameID: "g", State: rollout.GameUpdating, Attempt: 1}
	id := game.OperationID("ro-a")
	require.Equal(t, id, game.OperationID("ro-a"), "every leader gets the same id")
	seen := map[string]bool{id: true}
	for _, other := range []rollout.Game{
		{GameID: "h", State: rollout.GameUpdating, Attempt: 1}, {GameID: "g", State: rollout.GameReverting, Attempt: 1}, {GameID: "g", State: rollout.GameUpdating, Attempt: 2},
	} {
		require.NotContains(t, seen, other.OperationID("ro-a"))
		seen[other.OperationID("ro-a")] = true
	}
	require.Equal(t, rollout.NewID("key"), rollout.NewID("key"))
	require.NotEqual(t, rollout.NewID(""), rollout.NewID(""))
	require.NoError(t, rollout.ValidateID(rollout.NewID("")))
}
