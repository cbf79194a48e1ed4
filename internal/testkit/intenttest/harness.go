package intenttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/storetest"
)

// Harness creates and controls the stores of one adapter of ports.IntentStore.
type Harness struct {
	// Open returns a store without intents. It closes the store by t.Cleanup.
	Open func(t *testing.T) ports.IntentStore
	// Grant returns a fence that is valid until it is revoked.
	Grant func(t *testing.T, store ports.IntentStore) node.Fence
	// Revoke invalidates the fence, as if the leader's lease had expired.
	Revoke func(t *testing.T, store ports.IntentStore, fence node.Fence)
	// Corrupt makes the stored intent of the game unreadable. It returns the key and the
	// revision of that write. It is nil for an adapter whose intents cannot become corrupt.
	Corrupt func(t *testing.T, store ports.IntentStore, gameID string) (key string, revision int64)
}

// intentTest is the test of one sentence of the contract.
type intentTest struct {
	name string
	test func(t *testing.T, h Harness, s ports.IntentStore)
}

// Run runs every contract test of ports.IntentStore on a store of its own, in
// parallel.
func Run(t *testing.T, h Harness) {
	tests := append(intentReadTests(), intentWriteTests()...)
	tests = append(tests, intentFenceTests()...)
	tests = append(tests, guardTests()...)
	if h.Corrupt != nil {
		tests = append(tests, corruptIntentTests()...)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.test(t, h, h.Open(t))
		})
	}
}

// fullIntent returns an intent of the game with every optional field set.
func fullIntent(gameID string) operation.Intent {
	spec := operation.Spec{
		Image: "registry.example/engine:1.4.2", Args: []string{"--map", "<&>"}, Env: map[string]string{"A": "b", "EMPTY": ""},
		Network: "games", Port: 7777, ContainerPort: 9000, CPUs: 1.5, MemoryBytes: 1 << 30, HealthPath: "/ok",
		HealthTimeout: operation.Duration(time.Minute), StopGrace: operation.Duration(1500 * time.Millisecond),
		Crash:      operation.CrashPolicy{Attempts: 3, Window: operation.Duration(time.Hour), Delay: operation.Duration(time.Second)},
		OnNodeLost: operation.NodeLostReschedule, Regions: []string{"us", "ap"},
	}
	before, after := storetest.StoppedRecord(gameID), storetest.RunningRecord(gameID)
	failure := operation.Failure{Code: operation.FailureStart, Message: "exit code 7"}
	return operation.Intent{
		GameID: gameID, DesiredStatus: after.Status, Spec: spec,
		Current: &operation.Operation{
			ID: "op-3", Kind: operation.KindPatch, Region: "eu-west", Node: "node-1", Session: 12, Actor: "me", Reason: "why not",
			StartedAt: storetest.TimeAt(5), Deadline: storetest.TimeAt(9), Step: operation.StepCreating, StepAt: storetest.TimeAt(6), Spec: spec,
			Generation: 4, ContainerID: "container-2", PreviousRecord: &before, Failure: &failure,
		},
		Recent: []operation.Outcome{
			{OperationID: "op-2", Kind: operation.KindStart, Actor: "me", StartedAt: storetest.TimeAt(3), FinishedAt: storetest.TimeAt(4), Failure: &failure},
			{OperationID: "op-1", Kind: operation.KindStart, StartedAt: storetest.TimeAt(1), FinishedAt: storetest.TimeAt(2), Record: &after, Revision: 7},
		},
		Restarts: []time.Time{storetest.TimeAt(4), storetest.TimeAt(3)},
	}
}

// putIntent writes the intent and returns its new revision.
func putIntent(t *testing.T, s ports.IntentStore, intent operation.Intent, ifRevision int64) int64 {
	t.Helper()
	version, err := s.PutIntent(t.Context(), intent, ports.IntentVersion{Revision: ifRevision})
	require.NoError(t, err, "put the intent of %q at revision %d", intent.GameID, ifRevision)
	return version.Revision
}

// intentAt returns the intent as readIntent returns it.
func intentAt(intent operation.Intent, revision int64) ports.VersionedIntent {
	return ports.VersionedIntent{Intent: intent, IntentVersion: ports.IntentVersion{Revision: revision}}
}

// withoutStored returns the intents without their stored forms, which only their store
// reads.
func withoutStored(found []ports.VersionedIntent) []ports.VersionedIntent {
	plain := make([]ports.VersionedIntent, len(found))
	for i, intent := range found {
		plain[i] = intentAt(intent.Intent, intent.Revision)
	}
	return plain
}

// readIntents returns the intents of the games, without their stored forms.
func readIntents(t *testing.T, s ports.IntentStore, gameIDs ...string) []ports.VersionedIntent {
	t.Helper()
	found, err := s.GetIntents(t.Context(), gameIDs)
	require.NoError(t, err, "get the intents of %q", gameIDs)
	return withoutStored(found)
}

// readIntent returns the intent of the game, without its stored form.
func readIntent(t *testing.T, s ports.IntentStore, gameID string) ports.VersionedIntent {
	t.Helper()
	found, err := s.GetIntent(t.Context(), gameID)
	require.NoError(t, err, "get the intent of %q", gameID)
	return intentAt(found.Intent, found.Revision)
}
