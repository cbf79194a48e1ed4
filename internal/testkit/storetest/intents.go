package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	lifecycle "galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// IntentHarness says how to get at an adapter of ports.IntentStore.
type IntentHarness struct {
	// Open returns a fresh store without an intent, and cleans up after itself.
	Open func(t *testing.T) ports.IntentStore
	// Grant returns a fence that holds until Revoke ends it.
	Grant  func(t *testing.T, store ports.IntentStore) node.Fence
	Revoke func(t *testing.T, store ports.IntentStore, fence node.Fence)
	// Damage makes the game's intent one that nobody can read, and returns its key
	// and the revision of the damage. Nil is for an adapter whose intents cannot be damaged.
	Damage func(t *testing.T, store ports.IntentStore, gameID string) (key string, revision int64)
}

type intentBehaviour struct {
	name string
	test func(t *testing.T, h IntentHarness, s ports.IntentStore)
}

// RunIntents proves every behaviour of an intent store on a store of its own.
func RunIntents(t *testing.T, h IntentHarness) {
	behaviours := append(intentReadBehaviours(), intentWriteBehaviours()...)
	behaviours = append(behaviours, intentFenceBehaviours()...)
	if h.Damage != nil {
		behaviours = append(behaviours, damagedIntentBehaviours()...)
	}
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			b.test(t, h, h.Open(t))
		})
	}
}

// fullIntent has every field filled that may be.
func fullIntent(gameID string) lifecycle.Intent {
	spec := lifecycle.Spec{
		Image: "registry.example/engine:1.4.2", Args: []string{"--map", "<&>"}, Env: map[string]string{"A": "b", "EMPTY": ""},
		Network: "games", Port: 7777, ContainerPort: 9000, CPUs: 1.5, MemoryBytes: 1 << 30, HealthPath: "/ok",
		HealthTimeout: lifecycle.Duration(time.Minute), StopGrace: lifecycle.Duration(1500 * time.Millisecond),
		Crash:      lifecycle.CrashPolicy{Attempts: 3, Window: lifecycle.Duration(time.Hour), Delay: lifecycle.Duration(time.Second)},
		OnNodeLost: lifecycle.NodeLostReschedule,
	}
	before, after := stopped(gameID), running(gameID)
	failure := lifecycle.Failure{Code: lifecycle.FailureStart, Message: "exit code 7"}
	return lifecycle.Intent{
		GameID: gameID, DesiredStatus: after.Status, Spec: spec,
		Current: &lifecycle.Operation{
			ID: "op-3", Kind: lifecycle.KindPatch, Region: "eu-west", Node: "node-1", Session: 12, Actor: "me", Reason: "why not",
			StartedAt: instant(5), Deadline: instant(9), Step: lifecycle.StepCreating, StepAt: instant(6), Spec: spec,
			Generation: 4, ContainerID: "container-2", PreviousRecord: &before, Failure: &failure,
		},
		Recent: []lifecycle.Outcome{
			{OperationID: "op-2", Kind: lifecycle.KindStart, Actor: "me", StartedAt: instant(3), FinishedAt: instant(4), Failure: &failure},
			{OperationID: "op-1", Kind: lifecycle.KindStart, StartedAt: instant(1), FinishedAt: instant(2), Record: &after, Revision: 7},
		},
		Restarts: []time.Time{instant(4), instant(3)},
	}
}

func putIntent(t *testing.T, s ports.IntentStore, intent lifecycle.Intent, ifRevision int64) int64 {
	t.Helper()
	revision, err := s.PutIntent(t.Context(), intent, ifRevision)
	require.NoError(t, err, "put the intent of %q at revision %d", intent.GameID, ifRevision)
	return revision
}

func intentsOf(t *testing.T, s ports.IntentStore, gameIDs ...string) []ports.VersionedIntent {
	t.Helper()
	found, err := s.GetIntents(t.Context(), gameIDs)
	require.NoError(t, err, "get the intents of %q", gameIDs)
	return found
}

func intentOf(t *testing.T, s ports.IntentStore, gameID string) ports.VersionedIntent {
	t.Helper()
	found, err := s.GetIntent(t.Context(), gameID)
	require.NoError(t, err, "get the intent of %q", gameID)
	return found
}
