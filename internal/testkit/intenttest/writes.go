package intenttest

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/storetest"
)

func intentWriteTests() []intentTest {
	return []intentTest{
		{"a write at the current revision succeeds and has a higher revision", testIntentExpectsPresent},
		{"the version that a read or a write returned can be replaced once", testIntentReplacesVersion},
		{"a write at another revision is a conflict and writes nothing", testIntentConflicts},
		{"of concurrent writes at one revision one succeeds", testIntentRace},
		{"concurrent writers that retry lose no write", testIntentConcurrentWriters},
		{"an intent that cannot be stored is ErrInvalid", testIntentRejectsInvalid},
		{"an intent of the largest size is kept", testIntentLargest},
	}
}

func testIntentExpectsPresent(t *testing.T, _ Harness, s ports.IntentStore) {
	first := putIntent(t, s, fullIntent("a"), 0)
	second := putIntent(t, s, fullIntent("a"), first) // an identical intent is a write too
	require.Greater(t, second, first)
	third := putIntent(t, s, operation.Intent{GameID: "a"}, second)
	require.Greater(t, third, second)
	require.Equal(t, intentAt(operation.Intent{GameID: "a"}, third), readIntent(t, s, "a"))
}

func testIntentReplacesVersion(t *testing.T, h Harness, s ports.IntentStore) {
	inserted, err := s.PutIntent(t.Context(), fullIntent("a"), ports.IntentVersion{})
	require.NoError(t, err)
	overwritten, err := s.PutIntent(t.Context(), operation.Intent{GameID: "a"}, inserted)
	require.NoError(t, err)
	require.Equal(t, intentAt(operation.Intent{GameID: "a"}, overwritten.Revision), readIntent(t, s, "a"))
	found, err := s.GetIntent(t.Context(), "a")
	require.NoError(t, err)
	listed, err := s.GetIntents(t.Context(), []string{"a"})
	require.NoError(t, err)
	require.Equal(t, found, listed[0])
	last, err := s.PutIntent(t.Context(), fullIntent("a"), found.IntentVersion)
	require.NoError(t, err)
	for _, stale := range []ports.IntentVersion{{}, inserted, overwritten, found.IntentVersion} {
		_, err := s.PutIntent(t.Context(), operation.Intent{GameID: "a"}, stale)
		require.ErrorIs(t, err, runtime.ErrConflict)
	}
	fence := h.Grant(t, s)
	h.Revoke(t, s, fence)
	for _, version := range []ports.IntentVersion{{}, inserted, last} {
		_, err := s.PutIntent(t.Context(), operation.Intent{GameID: "a"}, version, fence)
		require.ErrorIs(t, err, runtime.ErrFenced)
		require.NotErrorIs(t, err, runtime.ErrConflict)
	}
	require.Equal(t, intentAt(fullIntent("a"), last.Revision), readIntent(t, s, "a"))
}

func testIntentConflicts(t *testing.T, _ Harness, s ports.IntentStore) {
	older := putIntent(t, s, fullIntent("a"), 0)
	putIntent(t, s, fullIntent("a"), older)
	other := putIntent(t, s, fullIntent("other"), 0)
	for _, gameID := range []string{"a", "absent"} {
		before := readIntent(t, s, gameID)
		for _, expected := range []int64{0, older, other, other + 1<<40} {
			if expected == before.Revision {
				continue
			}
			_, err := s.PutIntent(t.Context(), operation.Intent{GameID: gameID}, ports.IntentVersion{Revision: expected})
			require.ErrorIs(t, err, runtime.ErrConflict)
			var conflict *runtime.ConflictError
			require.ErrorAs(t, err, &conflict)
			require.Equal(t, runtime.ConflictError{
				GameID: gameID, Precondition: runtime.PreconditionRevision, Revision: before.Revision,
				Expected: strconv.FormatInt(expected, 10), Actual: strconv.FormatInt(before.Revision, 10),
			}, *conflict)
		}
		require.Equal(t, before, readIntent(t, s, gameID))
	}
}

func testIntentRace(t *testing.T, _ Harness, s ports.IntentStore) {
	for _, gameID := range []string{"new", "old"} {
		at := int64(0)
		if gameID == "old" {
			at = putIntent(t, s, fullIntent("old"), 0)
		}
		named := func(n int) operation.Intent {
			return operation.Intent{GameID: gameID, Spec: operation.Spec{Image: storetest.GameName(n)}}
		}
		errs := storetest.RunConcurrently(32, func(n int) error {
			_, err := s.PutIntent(t.Context(), named(n), ports.IntentVersion{Revision: at})
			return err
		})
		winner := -1
		for n, err := range errs {
			if err == nil {
				require.Equal(t, -1, winner, "two writers succeeded")
				winner = n
				continue
			}
			require.ErrorIs(t, err, runtime.ErrConflict)
		}
		require.NotEqual(t, -1, winner, "no writer succeeded")
		require.Equal(t, named(winner), readIntent(t, s, gameID).Intent)
	}
}

func testIntentConcurrentWriters(t *testing.T, _ Harness, s ports.IntentStore) {
	const writers, increments = 8, 10
	errs := storetest.RunConcurrently(writers, func(int) error {
		for done := 0; done < increments; {
			found, err := s.GetIntent(t.Context(), "a")
			if err != nil {
				return err
			}
			found.Intent.Spec.Port++
			_, err = s.PutIntent(t.Context(), found.Intent, found.IntentVersion)
			switch {
			case err == nil:
				done++
			case !errors.Is(err, runtime.ErrConflict):
				return err
			}
		}
		return nil
	})
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, writers*increments, readIntent(t, s, "a").Intent.Spec.Port)
}

func testIntentRejectsInvalid(t *testing.T, _ Harness, s ports.IntentStore) {
	putChanged := func(change func(*operation.Intent)) error {
		intent := fullIntent("a")
		change(&intent)
		_, err := s.PutIntent(t.Context(), intent, ports.IntentVersion{})
		return err
	}
	storetest.RequireInvalid(t, putChanged(func(in *operation.Intent) { in.Current.Reason = "\xff" }), "intent")
	storetest.RequireInvalid(t, putChanged(func(in *operation.Intent) { in.Spec.Env["\xff"] = "" }), "intent")
	storetest.RequireInvalid(t, putChanged(func(in *operation.Intent) { in.Restarts = []time.Time{storetest.TimeAt(0).AddDate(9000, 0, 0)} }), "intent")
	storetest.RequireInvalid(t, putChanged(func(in *operation.Intent) { in.Spec.Network = strings.Repeat("x", ports.MaxIntentBytes) }), "intent")
	_, err := s.PutIntent(t.Context(), fullIntent("a"), ports.IntentVersion{Revision: -1})
	storetest.RequireInvalid(t, err, "if_revision")
	require.Zero(t, readIntent(t, s, "a").Revision)
}

func testIntentLargest(t *testing.T, _ Harness, s ports.IntentStore) {
	intent := operation.Intent{GameID: "a", Spec: operation.Spec{Network: strings.Repeat("x", ports.MaxIntentBytes-1000)}}
	revision := putIntent(t, s, intent, putIntent(t, s, intent, 0))
	require.Equal(t, intentAt(intent, revision), readIntent(t, s, "a"))
}
