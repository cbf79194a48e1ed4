package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// TimeAt returns the n-th minute after a fixed time that has nanoseconds.
func TimeAt(n int) time.Time {
	return time.Date(2026, time.March, 1, 12, 0, 0, 123456789, time.UTC).Add(time.Duration(n) * time.Minute)
}

func timePtrAt(n int) *time.Time {
	at := TimeAt(n)
	return &at
}

// NewRecord returns a valid record of the status with every optional field set.
func NewRecord(gameID string, status runtime.Status) runtime.RuntimeRecord {
	r := runtime.RuntimeRecord{
		GameID:             gameID,
		Status:             status,
		Region:             "eu-west",
		Node:               "node-1",
		CurrentContainerID: "container-1",
		CurrentImageRef:    "registry.example/engine:1.4.2",
		EngineEndpoint:     "http://10.0.0.7:8080",
		StatePath:          "/var/lib/galaxy/state",
		DockerNetwork:      "galaxy",
		Generation:         3,
		CreatedAt:          TimeAt(0),
		LastOpAt:           TimeAt(1),
		StartedAt:          timePtrAt(1),
	}
	switch status {
	case runtime.StatusStopped:
		r.StoppedAt = timePtrAt(2)
		r.LastOpAt = TimeAt(2)
	case runtime.StatusRemoved:
		r.StoppedAt = timePtrAt(2)
		r.RemovedAt = timePtrAt(3)
		r.LastOpAt = TimeAt(3)
		r.CurrentContainerID = ""
	default: // running: no further fields
	}
	return r
}

// RunningRecord returns a valid record of a running game.
func RunningRecord(gameID string) runtime.RuntimeRecord {
	return NewRecord(gameID, runtime.StatusRunning)
}

// StoppedRecord returns a valid record of a stopped game.
func StoppedRecord(gameID string) runtime.RuntimeRecord {
	return NewRecord(gameID, runtime.StatusStopped)
}

func removedRecord(gameID string) runtime.RuntimeRecord {
	return NewRecord(gameID, runtime.StatusRemoved)
}

// TransitionInput returns a transition at the n-th minute without a container guard.
func TransitionInput(gameID string, from, to runtime.Status, n int) ports.UpdateStatusInput {
	return ports.UpdateStatusInput{GameID: gameID, ExpectedFrom: from, To: to, Now: TimeAt(n)}
}

// stopInput returns the transition from running to stopped at the n-th minute.
func stopInput(gameID string, n int) ports.UpdateStatusInput {
	return TransitionInput(gameID, runtime.StatusRunning, runtime.StatusStopped, n)
}

// resumeInput returns the transition from stopped to running at the n-th minute.
func resumeInput(gameID string, n int) ports.UpdateStatusInput {
	return TransitionInput(gameID, runtime.StatusStopped, runtime.StatusRunning, n)
}

// withOperationID returns the transition with the operation id.
func withOperationID(input ports.UpdateStatusInput, operationID string) ports.TransitionInput {
	return ports.TransitionInput{UpdateStatusInput: input, Origin: ports.Origin{OperationID: operationID}}
}

// putRecord writes the record with Put.
func putRecord(t *testing.T, s Store, r runtime.RuntimeRecord) runtime.VersionedRecord {
	t.Helper()
	record, err := s.Put(t.Context(), ports.PutInput{Record: r})
	require.NoError(t, err, "put %q", r.GameID)
	return record
}

// applyTransition makes the transition and returns the new record.
func applyTransition(t *testing.T, s Store, input ports.UpdateStatusInput) runtime.VersionedRecord {
	t.Helper()
	record, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: input})
	require.NoError(t, err, "transition of %q from %s to %s", input.GameID, input.ExpectedFrom, input.To)
	return record
}

// currentRevision returns a revision at least as new as every write so far.
func currentRevision(t *testing.T, s Store) int64 {
	t.Helper()
	info, err := s.Info(t.Context())
	require.NoError(t, err, "info")
	return info.Revision
}

// futureRevision returns a revision that no store reaches while a test runs.
func futureRevision(t *testing.T, s Store) int64 { return currentRevision(t, s) + 1<<40 }

func gameIDs(records []runtime.RuntimeRecord) []string {
	names := make([]string, 0, len(records))
	for _, r := range records {
		names = append(names, r.GameID)
	}
	return names
}

// ByGameID returns the records by game.
func ByGameID(records []runtime.RuntimeRecord) map[string]runtime.RuntimeRecord {
	found := make(map[string]runtime.RuntimeRecord, len(records))
	for _, r := range records {
		found[r.GameID] = r
	}
	return found
}

// Pointer returns a pointer to a copy of the value.
func Pointer[T any](value T) *T { return &value }

// GameName returns the id of the n-th game. Ids sort as their numbers do.
func GameName(n int) string { return fmt.Sprintf("game-%04d", n) }

// InvalidGameIDs returns ids that every store rejects, by description.
func InvalidGameIDs() map[string]string {
	return map[string]string{
		"empty":              "",
		"blank":              "   ",
		"dot":                ".",
		"two dots":           "..",
		"257 bytes":          strings.Repeat("x", 257),
		"newline":            "a\nb",
		"NUL":                "a\x00b",
		"delete character":   "a\x7fb",
		"C1 control":         "a\u0085b",
		"invalid UTF-8":      "a\xffb",
		"truncated UTF-8":    "a\xe2\x82",
		"257 bytes of emoji": strings.Repeat("🎲", 64) + "x",
	}
}

// ValidGameIDs returns ids that stores keep byte for byte, by description. A careless
// key layout would confuse some of them with each other.
func ValidGameIDs() map[string]string {
	return map[string]string{
		"plain":                  "game-42",
		"one letter":             "a",
		"slash":                  "a/b",
		"two slashes":            "a//b",
		"leading slash":          "/a",
		"trailing slash":         "a/",
		"only a slash":           "/",
		"escaped slash":          "%2F",
		"escaped twice":          "%252F",
		"lone percent":           "100%",
		"emoji":                  "🎲🚀",
		"right to left":          "משחק",
		"256 bytes":              strings.Repeat("y", 256),
		"256 bytes of emoji":     strings.Repeat("🎲", 64),
		"256 slashes":            strings.Repeat("/", 256),
		"space inside":           "a b",
		"space at the ends":      " a ",
		"composed":               "caf\u00e9",
		"decomposed":             "cafe\u0301",
		"a status word":          "running",
		"prefix of a status":     "run",
		"upper case":             "A",
		"query characters":       "a?b=c&d#e",
		"quotes and backslash":   `"a'\b`,
		"plus":                   "a+b",
		"colon and at":           "user:x@host",
		"three dots":             "...",
		"dots in a path":         "a/../b",
		"hidden":                 ".a",
		"markup":                 "<b>&amp;",
		"looks like a key":       "/runtimes/a",
		"looks like an index":    "runtimes-by-status/running/a",
		"looks like a ledger":    "transitions/a/0",
		"looks like a query end": "history",
		"semicolon and comma":    "a;b,c",
		"tilde and star":         "~a*",
		"non-breaking space":     "a\u00a0b",
		"zero width joiner":      "a\u200db",
		"beyond the BMP":         "\U0010fffd",
		"replacement character":  "\ufffd",
		"number":                 "0",
		"looks like JSON":        `{"game_id":"x"}`,
	}
}
