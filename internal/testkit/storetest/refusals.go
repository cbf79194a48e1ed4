package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func refusalBehaviours() []behaviour {
	return []behaviour{
		{name: "Upsert refuses an unknown status", test: refusesRecord("status", func(r *runtime.RuntimeRecord) { r.Status = "paused" })},
		{name: "Upsert refuses an empty status", test: refusesRecord("status", func(r *runtime.RuntimeRecord) { r.Status = "" })},
		{name: "Upsert refuses text that is not UTF-8", test: refusesText},
		{name: "Upsert refuses a year above 9999", test: refusesRecord("created_at", func(r *runtime.RuntimeRecord) {
			r.CreatedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
		})},
		{name: "Upsert refuses a year below 0", test: refusesRecord("started_at", func(r *runtime.RuntimeRecord) {
			*r.StartedAt = time.Date(-1, 12, 31, 0, 0, 0, 0, time.UTC)
		})},
		{name: "Upsert refuses a year that is above 9999 only in UTC", test: refusesRecord("last_op_at", func(r *runtime.RuntimeRecord) {
			r.LastOpAt = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200))
		})},
		{name: "Upsert refuses a record above the limit", test: refusesRecord("", func(r *runtime.RuntimeRecord) {
			r.StatePath = strings.Repeat("p", ports.MaxRecordBytes)
		})},
		{name: "a refused Upsert leaves the present record alone", test: refusalKeepsRecord},
		{name: "UpdateStatus refuses an unknown expected status", test: refusesMove("expected_from", func(in *ports.UpdateStatusInput) { in.ExpectedFrom = "paused" })},
		{name: "UpdateStatus refuses an unknown target status", test: refusesMove("to", func(in *ports.UpdateStatusInput) { in.To = "" })},
		{name: "UpdateStatus refuses a zero Now", test: refusesMove("now", func(in *ports.UpdateStatusInput) { in.Now = time.Time{} })},
		{name: "UpdateStatus refuses a Now that cannot be stored", test: refusesMove("now", func(in *ports.UpdateStatusInput) {
			in.Now = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
		})},
		{name: "UpdateStatus validates before it looks for the record", test: refusesBeforeLooking},
		{name: "an operation id of 128 bytes, an actor of 256 and a reason of 1024 are kept", test: keepsLongOrigin},
		{name: "an operation id of 129 bytes is refused", test: refusesOrigin("operation_id", ports.Origin{OperationID: strings.Repeat("o", 129)})},
		{name: "an operation id that cannot be printed is refused", test: refusesOrigin("operation_id", ports.Origin{OperationID: "a\tb"})},
		{name: "an operation id that is not UTF-8 is refused", test: refusesOrigin("operation_id", ports.Origin{OperationID: "a\xff"})},
		{name: "an actor of 257 bytes is refused", test: refusesOrigin("actor", ports.Origin{Actor: strings.Repeat("a", 257)})},
		{name: "an actor that is not UTF-8 is refused", test: refusesOrigin("actor", ports.Origin{Actor: "\xff"})},
		{name: "a reason of 1025 bytes is refused", test: refusesOrigin("reason", ports.Origin{Reason: strings.Repeat("r", 1025)})},
		{name: "a reason that is not UTF-8 is refused", test: refusesOrigin("reason", ports.Origin{Reason: "\xc3"})},
	}
}

// requireInvalid fails unless the error is ErrInvalid and, where a field is
// given, names it.
func requireInvalid(t *testing.T, err error, field string) {
	t.Helper()
	require.ErrorIs(t, err, runtime.ErrInvalid)
	var invalid *runtime.InvalidError
	require.ErrorAs(t, err, &invalid)
	if field != "" {
		require.Equal(t, field, invalid.Field, "the field that %q names", err)
	}
}

// refusesRecord spoils a good record and wants Upsert and Put to refuse it.
func refusesRecord(field string, spoil func(*runtime.RuntimeRecord)) func(*testing.T, Harness, ports.Store) {
	return func(t *testing.T, _ Harness, s ports.Store) {
		r := running("a")
		spoil(&r)
		requireInvalid(t, s.Upsert(t.Context(), r), field)
		_, err := s.Put(t.Context(), ports.PutInput{Record: r})
		requireInvalid(t, err, field)
		requireEmpty(t, s)
	}
}

func refusesText(t *testing.T, _ Harness, s ports.Store) {
	for _, spoil := range []func(*runtime.RuntimeRecord){
		func(r *runtime.RuntimeRecord) { r.Region = "\xff" },
		func(r *runtime.RuntimeRecord) { r.Node = "n\xc0" },
		func(r *runtime.RuntimeRecord) { r.CurrentContainerID = "\xe2\x82" },
		func(r *runtime.RuntimeRecord) { r.CurrentImageRef = "\xff" },
		func(r *runtime.RuntimeRecord) { r.EngineEndpoint = "\xff" },
		func(r *runtime.RuntimeRecord) { r.StatePath = "\xed\xa0\x80" },
		func(r *runtime.RuntimeRecord) { r.DockerNetwork = "\xff" },
	} {
		r := running("a")
		spoil(&r)
		requireInvalid(t, s.Upsert(t.Context(), r), "")
	}
	requireEmpty(t, s)
}

func refusalKeepsRecord(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	before := stateOf(t, s, "a")
	bad := stopped("a")
	bad.Status = "paused"
	requireInvalid(t, s.Upsert(t.Context(), bad), "status")
	requireUntouched(t, s, before)
}

// refusesMove spoils a good transition and wants it refused, unwritten.
func refusesMove(field string, spoil func(*ports.UpdateStatusInput)) func(*testing.T, Harness, ports.Store) {
	return func(t *testing.T, _ Harness, s ports.Store) {
		put(t, s, running("a"))
		before := stateOf(t, s, "a")
		input := stop("a", 5)
		spoil(&input)
		requireInvalid(t, s.UpdateStatus(t.Context(), input), field)
		_, err := s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: input})
		requireInvalid(t, err, field)
		requireUntouched(t, s, before)
	}
}

func refusesBeforeLooking(t *testing.T, _ Harness, s ports.Store) {
	input := stop("missing", 5)
	input.Now = time.Time{}
	requireInvalid(t, s.UpdateStatus(t.Context(), input), "now")
	err := s.UpdateStatus(t.Context(), move("missing", runtime.StatusRemoved, runtime.StatusRunning, 5))
	require.ErrorIs(t, err, runtime.ErrInvalidTransition)
}

func keepsLongOrigin(t *testing.T, _ Harness, s ports.Store) {
	origin := ports.Origin{
		OperationID: strings.Repeat("o", 128),
		Actor:       strings.Repeat("é", 128),
		Reason:      strings.Repeat("🎲", 256),
	}
	_, err := s.Put(t.Context(), ports.PutInput{Record: running("a"), Origin: origin})
	require.NoError(t, err)
	requireOrigin(t, s, origin)
	origin.OperationID = "p" + origin.OperationID[1:]
	_, err = s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stop("a", 5), Origin: origin})
	require.NoError(t, err)
	requireOrigin(t, s, origin)
}

// requireOrigin fails unless the newest ledger entry of game "a" holds the origin.
func requireOrigin(t *testing.T, s ports.Store, want ports.Origin) {
	t.Helper()
	newest := stateOf(t, s, "a").history[0]
	got := ports.Origin{OperationID: newest.OperationID, Actor: newest.Actor, Reason: newest.Reason}
	require.Equal(t, want, got)
}

// refusesOrigin wants both kinds of write to refuse the origin, unwritten.
func refusesOrigin(field string, origin ports.Origin) func(*testing.T, Harness, ports.Store) {
	return func(t *testing.T, _ Harness, s ports.Store) {
		_, err := s.Put(t.Context(), ports.PutInput{Record: running("new"), Origin: origin})
		requireInvalid(t, err, field)
		requireEmpty(t, s)

		put(t, s, running("a"))
		before := stateOf(t, s, "a")
		_, err = s.Transition(t.Context(), ports.TransitionInput{UpdateStatusInput: stop("a", 5), Origin: origin})
		requireInvalid(t, err, field)
		requireUntouched(t, s, before)
	}
}
