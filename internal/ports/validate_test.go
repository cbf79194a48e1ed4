package ports_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var instant = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// refusal is one spoilt input and the words it is refused with.
type refusal[T any] struct {
	name  string
	spoil func(*T)
	want  string
}

// requireRefusals wants the good input to pass and every spoilt one refused.
func requireRefusals[T any](t *testing.T, good T, validate func(T) error, refusals []refusal[T]) {
	t.Helper()
	require.NoError(t, validate(good))
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			input := good
			tt.spoil(&input)
			err := validate(input)
			require.ErrorIs(t, err, runtime.ErrInvalid)
			require.EqualError(t, err, tt.want)
		})
	}
}

func goodUpdate() ports.UpdateStatusInput {
	return ports.UpdateStatusInput{GameID: "a", ExpectedFrom: runtime.StatusRunning, To: runtime.StatusStopped, Now: instant}
}

func TestUpdateStatusInputValidate(t *testing.T) {
	t.Parallel()
	requireRefusals(t, goodUpdate(), ports.UpdateStatusInput.Validate, []refusal[ports.UpdateStatusInput]{
		{"no game", func(in *ports.UpdateStatusInput) { in.GameID = "" }, "game_id is empty; name the game"},
		{"blank game", func(in *ports.UpdateStatusInput) { in.GameID = " " }, `game_id " " is blank; name the game`},
		{"no expected status", func(in *ports.UpdateStatusInput) { in.ExpectedFrom = "" }, `expected_from "" is not a status; use one of running, stopped, removed`},
		{"unknown expected status", func(in *ports.UpdateStatusInput) { in.ExpectedFrom = "up" }, `expected_from "up" is not a status; use one of running, stopped, removed`},
		{"unknown target", func(in *ports.UpdateStatusInput) { in.To = "down" }, `to "down" is not a status; use one of running, stopped, removed`},
		{"zero now", func(in *ports.UpdateStatusInput) { in.Now = time.Time{} }, "now is the zero time; give the instant of the transition"},
	})
}

func TestUpdateStatusInputValidatePairs(t *testing.T) {
	t.Parallel()
	for _, from := range runtime.Statuses() {
		for _, to := range runtime.Statuses() {
			in := goodUpdate()
			in.ExpectedFrom, in.To = from, to
			require.Equal(t, runtime.Transition(from, to), in.Validate(), "%s to %s", from, to)
		}
	}
}

func TestTransitionInputValidate(t *testing.T) {
	t.Parallel()
	good := ports.TransitionInput{UpdateStatusInput: goodUpdate()}
	requireRefusals(t, good, ports.TransitionInput.Validate, []refusal[ports.TransitionInput]{
		{"update", func(in *ports.TransitionInput) { in.GameID = "" }, "game_id is empty; name the game"},
		{"origin", func(in *ports.TransitionInput) { in.Origin.Actor = "\xff" }, `actor "\xff" is not valid UTF-8`},
		{"year", func(in *ports.TransitionInput) { in.Now = instant.AddDate(9000, 0, 0) }, "now is in the year 11026; the years 0 to 9999 can be stored"},
	})
}

func TestOriginValidate(t *testing.T) {
	t.Parallel()
	good := ports.Origin{OperationID: strings.Repeat("o", 128), Actor: strings.Repeat("a", 256), Reason: strings.Repeat("r", 1024)}
	require.NoError(t, ports.Origin{}.Validate())
	requireRefusals(t, good, ports.Origin.Validate, []refusal[ports.Origin]{
		{"long operation id", func(o *ports.Origin) { o.OperationID += "o" }, "operation_id has 129 bytes; at most 128 are allowed"},
		{"operation id not UTF-8", func(o *ports.Origin) { o.OperationID = "a\xff" }, `operation_id "a\xff" is not valid UTF-8`},
		{"operation id not printable", func(o *ports.Origin) { o.OperationID = "a\tb" }, `operation_id "a\tb" holds '\t', which cannot be printed`},
		{"long actor", func(o *ports.Origin) { o.Actor += "a" }, "actor has 257 bytes; at most 256 are allowed"},
		{"actor not UTF-8", func(o *ports.Origin) { o.Actor = "\xff" }, `actor "\xff" is not valid UTF-8`},
		{"long reason", func(o *ports.Origin) { o.Reason += "r" }, "reason has 1025 bytes; at most 1024 are allowed"},
		{"reason not UTF-8", func(o *ports.Origin) { o.Reason = "\xff" }, `reason "\xff" is not valid UTF-8`},
	})
}

func goodRecord() runtime.RuntimeRecord {
	return runtime.RuntimeRecord{GameID: "a", Status: runtime.StatusRunning}
}

func TestValidateStorable(t *testing.T) {
	t.Parallel()
	requireRefusals(t, goodRecord(), ports.ValidateStorable, []refusal[runtime.RuntimeRecord]{
		{"game id", func(r *runtime.RuntimeRecord) { r.GameID = ".." }, `game_id ".." cannot be an id: URLs read it as a path step`},
		{"status", func(r *runtime.RuntimeRecord) { r.Status = "up" }, `status "up" is not a status; use one of running, stopped, removed`},
		{"text", func(r *runtime.RuntimeRecord) { r.Region, r.StatePath = "\xff", "\xfe" }, "region \"\\xff\" is not valid UTF-8\nstate_path \"\\xfe\" is not valid UTF-8"},
		{"year", func(r *runtime.RuntimeRecord) { r.CreatedAt = instant.AddDate(-3000, 0, 0) }, "created_at is in the year -974; the years 0 to 9999 can be stored"},
	})
	err := ports.ValidateStorable(runtime.RuntimeRecord{GameID: "a", Status: runtime.StatusRunning, Node: strings.Repeat("<", ports.MaxRecordBytes/6)})
	var invalid *runtime.InvalidError
	require.ErrorAs(t, err, &invalid, "the limit counts the bytes of JSON, where < takes six")
	require.Equal(t, "record", invalid.Field)
}

func TestPutInputValidate(t *testing.T) {
	t.Parallel()
	revision := int64(-1)
	requireRefusals(t, ports.PutInput{Record: goodRecord()}, ports.PutInput.Validate, []refusal[ports.PutInput]{
		{"record", func(in *ports.PutInput) { in.Record.GameID = "" }, "game_id is empty; name the game"},
		{"revision", func(in *ports.PutInput) { in.IfRevision = &revision }, "if_revision is -1; a revision is never negative"},
		{"origin", func(in *ports.PutInput) { in.Origin.Reason = "\xff" }, `reason "\xff" is not valid UTF-8`},
		{"fence", func(in *ports.PutInput) { in.Fence = &node.Fence{CreateRevision: 1} }, "fence names no key"},
		{"fence", func(in *ports.PutInput) { in.Fence = &node.Fence{Key: "x"} }, "fence has create revision 0; keys are created at 1 and above"},
	})
}

func TestPageQueryValidate(t *testing.T) {
	t.Parallel()
	good := ports.PageQuery{Status: runtime.StatusRunning, Limit: ports.MaxPageLimit, Revision: 1}
	require.NoError(t, ports.PageQuery{Limit: 1}.Validate())
	requireRefusals(t, good, ports.PageQuery.Validate, []refusal[ports.PageQuery]{
		{"status", func(q *ports.PageQuery) { q.Status = "up" }, `status "up" is not a status; use one of running, stopped, removed`},
		{"no limit", func(q *ports.PageQuery) { q.Limit = 0 }, "limit is 0; use 1 to 10000"},
		{"limit", func(q *ports.PageQuery) { q.Limit = 10_001 }, "limit is 10001; use 1 to 10000"},
		{"revision", func(q *ports.PageQuery) { q.Revision = -1 }, "revision is -1; a revision is never negative"},
	})
}

func TestWatchOptionsValidate(t *testing.T) {
	t.Parallel()
	good := ports.WatchOptions{FromRevision: 1, Status: runtime.StatusRunning, GameID: "a"}
	require.NoError(t, ports.WatchOptions{}.Validate())
	requireRefusals(t, good, ports.WatchOptions.Validate, []refusal[ports.WatchOptions]{
		{"revision", func(o *ports.WatchOptions) { o.FromRevision = -1 }, "from_revision is -1; a revision is never negative"},
		{"status", func(o *ports.WatchOptions) { o.Status = "up" }, `status "up" is not a status; use one of running, stopped, removed`},
		{"game", func(o *ports.WatchOptions) { o.GameID = "." }, `game_id "." cannot be an id: URLs read it as a path step`},
	})
}

func TestCheckReportClean(t *testing.T) {
	t.Parallel()
	require.True(t, ports.CheckReport{}.Clean())
	require.True(t, ports.CheckReport{Findings: []ports.CheckFinding{{Repaired: true}}}.Clean())
	require.False(t, ports.CheckReport{Findings: []ports.CheckFinding{{Repaired: true}, {}}}.Clean())
}
