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

// instant returns the n-th minute of a fixed day, to the nanosecond.
func instant(n int) time.Time {
	return time.Date(2026, time.March, 1, 12, 0, 0, 123456789, time.UTC).Add(time.Duration(n) * time.Minute)
}

func instantPtr(n int) *time.Time {
	at := instant(n)
	return &at
}

// record returns a valid record of the status with every field that may be
// filled filled.
func record(gameID string, status runtime.Status) runtime.RuntimeRecord {
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
		CreatedAt:          instant(0),
		LastOpAt:           instant(1),
		StartedAt:          instantPtr(1),
	}
	switch status {
	case runtime.StatusStopped:
		r.StoppedAt = instantPtr(2)
		r.LastOpAt = instant(2)
	case runtime.StatusRemoved:
		r.StoppedAt = instantPtr(2)
		r.RemovedAt = instantPtr(3)
		r.LastOpAt = instant(3)
		r.CurrentContainerID = ""
	default: // running as it is
	}
	return r
}

func running(gameID string) runtime.RuntimeRecord { return record(gameID, runtime.StatusRunning) }
func stopped(gameID string) runtime.RuntimeRecord { return record(gameID, runtime.StatusStopped) }
func removed(gameID string) runtime.RuntimeRecord { return record(gameID, runtime.StatusRemoved) }

// move is an unguarded transition at the n-th minute.
func move(gameID string, from, to runtime.Status, n int) ports.UpdateStatusInput {
	return ports.UpdateStatusInput{GameID: gameID, ExpectedFrom: from, To: to, Now: instant(n)}
}

// stop is the transition that most behaviours use where any would do.
func stop(gameID string, n int) ports.UpdateStatusInput {
	return move(gameID, runtime.StatusRunning, runtime.StatusStopped, n)
}

// resume undoes stop.
func resume(gameID string, n int) ports.UpdateStatusInput {
	return move(gameID, runtime.StatusStopped, runtime.StatusRunning, n)
}

// operation makes a transition with an operation id of its own.
func operation(input ports.UpdateStatusInput, operationID string) ports.TransitionInput {
	return ports.TransitionInput{UpdateStatusInput: input, Origin: ports.Origin{OperationID: operationID}}
}

func put(t *testing.T, s ports.Store, r runtime.RuntimeRecord) runtime.VersionedRecord {
	t.Helper()
	written, err := s.Put(t.Context(), ports.PutInput{Record: r})
	require.NoError(t, err, "put %q", r.GameID)
	return written
}

func transition(t *testing.T, s ports.Store, input ports.UpdateStatusInput) runtime.VersionedRecord {
	t.Helper()
	written, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: input})
	require.NoError(t, err, "move %q from %s to %s", input.GameID, input.ExpectedFrom, input.To)
	return written
}

// head returns a revision that no write made so far is above.
func head(t *testing.T, s ports.Store) int64 {
	t.Helper()
	info, err := s.Info(t.Context())
	require.NoError(t, err, "info")
	return info.Revision
}

// farFuture is a revision that no store reaches while a test runs.
func farFuture(t *testing.T, s ports.Store) int64 { return head(t, s) + 1<<40 }

func ids(records []runtime.RuntimeRecord) []string {
	names := make([]string, 0, len(records))
	for _, r := range records {
		names = append(names, r.GameID)
	}
	return names
}

func byID(records []runtime.RuntimeRecord) map[string]runtime.RuntimeRecord {
	found := make(map[string]runtime.RuntimeRecord, len(records))
	for _, r := range records {
		found[r.GameID] = r
	}
	return found
}

func pointer[T any](value T) *T { return &value }

// game returns the name of the n-th game; names sort as their numbers do.
func game(n int) string { return fmt.Sprintf("game-%04d", n) }

// badIDs are ids that no game can have.
func badIDs() map[string]string {
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

// goodIDs are ids that come back byte for byte, and that a careless key
// layout would confuse with one another.
func goodIDs() map[string]string {
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
