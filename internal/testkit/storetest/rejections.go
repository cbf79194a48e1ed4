package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func rejectionTests() []contractTest {
	return []contractTest{
		{name: "Upsert rejects an unknown status", test: testRejectsRecord("status", func(r *runtime.RuntimeRecord) { r.Status = "paused" })},
		{name: "Upsert rejects an empty status", test: testRejectsRecord("status", func(r *runtime.RuntimeRecord) { r.Status = "" })},
		{name: "Upsert rejects text that is not UTF-8", test: testRejectsInvalidText},
		{name: "Upsert rejects a year above 9999", test: testRejectsRecord("created_at", func(r *runtime.RuntimeRecord) {
			r.CreatedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
		})},
		{name: "Upsert rejects a year below 0", test: testRejectsRecord("started_at", func(r *runtime.RuntimeRecord) {
			*r.StartedAt = time.Date(-1, 12, 31, 0, 0, 0, 0, time.UTC)
		})},
		{name: "Upsert rejects a year that is above 9999 only in UTC", test: testRejectsRecord("last_op_at", func(r *runtime.RuntimeRecord) {
			r.LastOpAt = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200))
		})},
		{name: "Upsert rejects a record above the limit", test: testRejectsRecord("", func(r *runtime.RuntimeRecord) {
			r.StatePath = strings.Repeat("p", ports.MaxRecordBytes)
		})},
		{name: "a rejected Upsert does not change the current record", test: testRejectedUpsertKeepsRecord},
		{name: "UpdateStatus rejects an unknown expected status", test: testRejectsTransition("expected_from", func(in *ports.UpdateStatusInput) { in.ExpectedFrom = "paused" })},
		{name: "UpdateStatus rejects an unknown target status", test: testRejectsTransition("to", func(in *ports.UpdateStatusInput) { in.To = "" })},
		{name: "UpdateStatus rejects a zero Now", test: testRejectsTransition("now", func(in *ports.UpdateStatusInput) { in.Now = time.Time{} })},
		{name: "UpdateStatus rejects a Now that cannot be stored", test: testRejectsTransition("now", func(in *ports.UpdateStatusInput) {
			in.Now = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
		})},
		{name: "UpdateStatus validates before it reads the record", test: testValidatesBeforeReading},
		{name: "an operation id of 128 bytes, an actor of 256 and a reason of 1024 are kept", test: testKeepsLongOrigin},
		{name: "an operation id of 129 bytes is rejected", test: testRejectsOrigin("operation_id", ports.Origin{OperationID: strings.Repeat("o", 129)})},
		{name: "an operation id that is not printable is rejected", test: testRejectsOrigin("operation_id", ports.Origin{OperationID: "a\tb"})},
		{name: "an operation id that is not UTF-8 is rejected", test: testRejectsOrigin("operation_id", ports.Origin{OperationID: "a\xff"})},
		{name: "an actor of 257 bytes is rejected", test: testRejectsOrigin("actor", ports.Origin{Actor: strings.Repeat("a", 257)})},
		{name: "an actor that is not UTF-8 is rejected", test: testRejectsOrigin("actor", ports.Origin{Actor: "\xff"})},
		{name: "a reason of 1025 bytes is rejected", test: testRejectsOrigin("reason", ports.Origin{Reason: strings.Repeat("r", 1025)})},
		{name: "a reason that is not UTF-8 is rejected", test: testRejectsOrigin("reason", ports.Origin{Reason: "\xc3"})},
	}
}

// RequireInvalid fails unless the error is ErrInvalid and names the field. An empty
// field accepts any.
func RequireInvalid(t *testing.T, err error, field string) {
	t.Helper()
	require.ErrorIs(t, err, runtime.ErrInvalid)
	var invalid *runtime.InvalidError
	require.ErrorAs(t, err, &invalid)
	if field != "" {
		require.Equal(t, field, invalid.Field, "the field that %q names", err)
	}
}

// testRejectsRecord returns a test that Upsert and Put reject a corrupted record.
func testRejectsRecord(field string, corrupt func(*runtime.RuntimeRecord)) func(*testing.T, Harness, Store) {
	return func(t *testing.T, _ Harness, s Store) {
		r := RunningRecord("a")
		corrupt(&r)
		RequireInvalid(t, s.Upsert(t.Context(), r), field)
		_, err := s.Put(t.Context(), ports.PutInput{Record: r})
		RequireInvalid(t, err, field)
		requireEmpty(t, s)
	}
}

func testRejectsInvalidText(t *testing.T, _ Harness, s Store) {
	for _, corrupt := range []func(*runtime.RuntimeRecord){
		func(r *runtime.RuntimeRecord) { r.Region = "\xff" },
		func(r *runtime.RuntimeRecord) { r.Node = "n\xc0" },
		func(r *runtime.RuntimeRecord) { r.CurrentContainerID = "\xe2\x82" },
		func(r *runtime.RuntimeRecord) { r.CurrentImageRef = "\xff" },
		func(r *runtime.RuntimeRecord) { r.EngineEndpoint = "\xff" },
		func(r *runtime.RuntimeRecord) { r.StatePath = "\xed\xa0\x80" },
		func(r *runtime.RuntimeRecord) { r.DockerNetwork = "\xff" },
	} {
		r := RunningRecord("a")
		corrupt(&r)
		RequireInvalid(t, s.Upsert(t.Context(), r), "")
	}
	requireEmpty(t, s)
}

func testRejectedUpsertKeepsRecord(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	before := readState(t, s, "a")
	bad := StoppedRecord("a")
	bad.Status = "paused"
	RequireInvalid(t, s.Upsert(t.Context(), bad), "status")
	requireUnchanged(t, s, before)
}

// testRejectsTransition returns a test that a corrupted transition is rejected and
// writes nothing.
func testRejectsTransition(field string, corrupt func(*ports.UpdateStatusInput)) func(*testing.T, Harness, Store) {
	return func(t *testing.T, _ Harness, s Store) {
		putRecord(t, s, RunningRecord("a"))
		before := readState(t, s, "a")
		input := stopInput("a", 5)
		corrupt(&input)
		RequireInvalid(t, s.UpdateStatus(t.Context(), input), field)
		_, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: input})
		RequireInvalid(t, err, field)
		requireUnchanged(t, s, before)
	}
}

func testValidatesBeforeReading(t *testing.T, _ Harness, s Store) {
	input := stopInput("missing", 5)
	input.Now = time.Time{}
	RequireInvalid(t, s.UpdateStatus(t.Context(), input), "now")
	err := s.UpdateStatus(t.Context(), TransitionInput("missing", runtime.StatusRemoved, runtime.StatusRunning, 5))
	require.ErrorIs(t, err, runtime.ErrInvalidTransition)
}

func testKeepsLongOrigin(t *testing.T, _ Harness, s Store) {
	origin := ports.Origin{
		OperationID: strings.Repeat("o", 128),
		Actor:       strings.Repeat("é", 128),
		Reason:      strings.Repeat("🎲", 256),
	}
	_, err := s.Put(t.Context(), ports.PutInput{Record: RunningRecord("a"), Origin: origin})
	require.NoError(t, err)
	requireOrigin(t, s, origin)
	origin.OperationID = "p" + origin.OperationID[1:]
	_, err = s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("a", 5), Origin: origin})
	require.NoError(t, err)
	requireOrigin(t, s, origin)
}

// requireOrigin fails unless the newest ledger entry of game "a" has the origin.
func requireOrigin(t *testing.T, s Store, want ports.Origin) {
	t.Helper()
	newest := readState(t, s, "a").history[0]
	got := ports.Origin{OperationID: newest.OperationID, Actor: newest.Actor, Reason: newest.Reason}
	require.Equal(t, want, got)
}

// testRejectsOrigin returns a test that both kinds of write reject the origin and write
// nothing.
func testRejectsOrigin(field string, origin ports.Origin) func(*testing.T, Harness, Store) {
	return func(t *testing.T, _ Harness, s Store) {
		_, err := s.Put(t.Context(), ports.PutInput{Record: RunningRecord("new"), Origin: origin})
		RequireInvalid(t, err, field)
		requireEmpty(t, s)

		putRecord(t, s, RunningRecord("a"))
		before := readState(t, s, "a")
		_, err = s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stopInput("a", 5), Origin: origin})
		RequireInvalid(t, err, field)
		requireUnchanged(t, s, before)
	}
}
