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

var testTime = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// rejection is one corrupted input and the error that it causes.
type rejection[T any] struct {
	name    string
	corrupt func(*T)
	want    string
}

// requireRejections fails unless the valid input is accepted and every corrupted one
// rejected.
func requireRejections[T any](t *testing.T, valid T, validate func(T) error, rejections []rejection[T]) {
	t.Helper()
	require.NoError(t, validate(valid))
	for _, tt := range rejections {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			input := valid
			tt.corrupt(&input)
			err := validate(input)
			require.ErrorIs(t, err, runtime.ErrInvalid)
			require.EqualError(t, err, tt.want)
		})
	}
}

func validUpdate() ports.UpdateStatusInput {
	return ports.UpdateStatusInput{GameID: "a", ExpectedFrom: runtime.StatusRunning, To: runtime.StatusStopped, Now: testTime}
}

func TestUpdateStatusInputValidate(t *testing.T) {
	t.Parallel()
	requireRejections(t, validUpdate(), ports.UpdateStatusInput.Validate, []rejection[ports.UpdateStatusInput]{
		{"no game", func(in *ports.UpdateStatusInput) { in.GameID = "" }, "game_id is empty; name the game"},
		{"blank game", func(in *ports.UpdateStatusInput) { in.GameID = " " }, `game_id " " is blank; name the game`},
		{"no expected status", func(in *ports.UpdateStatusInput) { in.ExpectedFrom = "" }, `expected_from "" is not a status; use one of running, stopped, removed`},
		{"unknown expected status", func(in *ports.UpdateStatusInput) { in.ExpectedFrom = "up" }, `expected_from "up" is not a status; use one of running, stopped, removed`},
		{"unknown target", func(in *ports.UpdateStatusInput) { in.To = "down" }, `to "down" is not a status; use one of running, stopped, removed`},
		{"zero now", func(in *ports.UpdateStatusInput) { in.Now = time.Time{} }, "now is the zero time; set it to the time of the transition"},
	})
}

func TestUpdateStatusInputValidatePairs(t *testing.T) {
	t.Parallel()
	for _, from := range runtime.Statuses() {
		for _, to := range runtime.Statuses() {
			in := validUpdate()
			in.ExpectedFrom, in.To = from, to
			require.Equal(t, runtime.Transition(from, to), in.Validate(), "%s to %s", from, to)
		}
	}
}

func TestTransitionInputValidate(t *testing.T) {
	t.Parallel()
	valid := ports.TransitionInput{UpdateStatusInput: validUpdate()}
	requireRejections(t, valid, ports.TransitionInput.Validate, []rejection[ports.TransitionInput]{
		{"update", func(in *ports.TransitionInput) { in.GameID = "" }, "game_id is empty; name the game"},
		{"origin", func(in *ports.TransitionInput) { in.Origin.Actor = "\xff" }, `actor "\xff" is not valid UTF-8`},
		{"year", func(in *ports.TransitionInput) { in.Now = testTime.AddDate(9000, 0, 0) }, "now is in the year 11026; the years 0 to 9999 can be stored"},
	})
}

func TestOriginValidate(t *testing.T) {
	t.Parallel()
	valid := ports.Origin{OperationID: strings.Repeat("o", 128), Actor: strings.Repeat("a", 256), Reason: strings.Repeat("r", 1024)}
	require.NoError(t, ports.Origin{}.Validate())
	requireRejections(t, valid, ports.Origin.Validate, []rejection[ports.Origin]{
		{"long operation id", func(o *ports.Origin) { o.OperationID += "o" }, "operation_id has 129 bytes; at most 128 are allowed"},
		{"operation id not UTF-8", func(o *ports.Origin) { o.OperationID = "a\xff" }, `operation_id "a\xff" is not valid UTF-8`},
		{"operation id not printable", func(o *ports.Origin) { o.OperationID = "a\tb" }, `operation_id "a\tb" contains '\t', which is not printable`},
		{"long actor", func(o *ports.Origin) { o.Actor += "a" }, "actor has 257 bytes; at most 256 are allowed"},
		{"actor not UTF-8", func(o *ports.Origin) { o.Actor = "\xff" }, `actor "\xff" is not valid UTF-8`},
		{"long reason", func(o *ports.Origin) { o.Reason += "r" }, "reason has 1025 bytes; at most 1024 are allowed"},
		{"reason not UTF-8", func(o *ports.Origin) { o.Reason = "\xff" }, `reason "\xff" is not valid UTF-8`},
	})
}

func validRecord() runtime.RuntimeRecord {
	return runtime.RuntimeRecord{GameID: "a", Status: runtime.StatusRunning}
}

func TestValidateStorable(t *testing.T) {
	t.Parallel()
	requireRejections(t, validRecord(), ports.ValidateStorable, []rejection[runtime.RuntimeRecord]{
		{"game id", func(r *runtime.RuntimeRecord) { r.GameID = ".." }, `game_id ".." cannot be an id: URLs read it as a path step`},
		{"status", func(r *runtime.RuntimeRecord) { r.Status = "up" }, `status "up" is not a status; use one of running, stopped, removed`},
		{"text", func(r *runtime.RuntimeRecord) { r.Region, r.StatePath = "\xff", "\xfe" }, "region \"\\xff\" is not valid UTF-8\nstate_path \"\\xfe\" is not valid UTF-8"},
		{"year", func(r *runtime.RuntimeRecord) { r.CreatedAt = testTime.AddDate(-3000, 0, 0) }, "created_at is in the year -974; the years 0 to 9999 can be stored"},
	})
	err := ports.ValidateStorable(runtime.RuntimeRecord{GameID: "a", Status: runtime.StatusRunning, Node: strings.Repeat("<", ports.MaxRecordBytes/6)})
	var invalid *runtime.InvalidError
	require.ErrorAs(t, err, &invalid, "the limit counts the bytes of JSON, where < takes six")
	require.Equal(t, "record", invalid.Field)
}

func TestPutInputValidate(t *testing.T) {
	t.Parallel()
	revision := int64(-1)
	requireRejections(t, ports.PutInput{Record: validRecord()}, ports.PutInput.Validate, []rejection[ports.PutInput]{
		{"record", func(in *ports.PutInput) { in.Record.GameID = "" }, "game_id is empty; name the game"},
		{"revision", func(in *ports.PutInput) { in.IfRevision = &revision }, "if_revision is -1; a revision is never negative"},
		{"origin", func(in *ports.PutInput) { in.Origin.Reason = "\xff" }, `reason "\xff" is not valid UTF-8`},
		{"fence", func(in *ports.PutInput) { in.Fence = &node.Fence{CreateRevision: 1} }, "fence names no key"},
		{"fence", func(in *ports.PutInput) { in.Fence = &node.Fence{Key: "x"} }, "fence has create revision 0; keys are created at 1 and above"},
	})
}

func TestPageQueryValidate(t *testing.T) {
	t.Parallel()
	valid := ports.PageQuery{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}, Limit: ports.MaxPageLimit, Revision: 1}
	require.NoError(t, ports.PageQuery{Limit: 1}.Validate())
	requireRejections(t, valid, ports.PageQuery.Validate, []rejection[ports.PageQuery]{
		{"status", func(q *ports.PageQuery) { q.Statuses = append(q.Statuses, "up") }, `status "up" is not a status; use one of running, stopped, removed`},
		{"region", func(q *ports.PageQuery) { q.Regions = []string{"eu", ""} }, "region is empty; omit it, or give it a value"},
		{"image", func(q *ports.PageQuery) { q.Images = []string{"\xff"} }, `image "\xff" is not valid UTF-8`},
		{"no limit", func(q *ports.PageQuery) { q.Limit = 0 }, "limit is 0; use 1 to 10000"},
		{"limit", func(q *ports.PageQuery) { q.Limit = 10_001 }, "limit is 10001; use 1 to 10000"},
		{"revision", func(q *ports.PageQuery) { q.Revision = -1 }, "revision is -1; a revision is never negative"},
	})
}

func TestWatchOptionsValidate(t *testing.T) {
	t.Parallel()
	valid := ports.WatchOptions{FromRevision: 1, RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}, GameID: "a"}
	require.NoError(t, ports.WatchOptions{}.Validate())
	requireRejections(t, valid, ports.WatchOptions.Validate, []rejection[ports.WatchOptions]{
		{"revision", func(o *ports.WatchOptions) { o.FromRevision = -1 }, "from_revision is -1; a revision is never negative"},
		{"status", func(o *ports.WatchOptions) { o.Statuses = append(o.Statuses, "up") }, `status "up" is not a status; use one of running, stopped, removed`},
		{"game", func(o *ports.WatchOptions) { o.GameID = "." }, `game_id "." cannot be an id: URLs read it as a path step`},
	})
}

func TestCheckReportClean(t *testing.T) {
	t.Parallel()
	require.True(t, ports.CheckReport{}.IsClean())
	require.True(t, ports.CheckReport{Findings: []ports.CheckFinding{{Repaired: true}}}.IsClean())
	require.False(t, ports.CheckReport{Findings: []ports.CheckFinding{{Repaired: true}, {}}}.IsClean())
}
