package runtime_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

func TestTransition(t *testing.T) {
	t.Parallel()
	const removedIsFinal = `: "removed" has no transitions`
	tests := []struct {
		from, to runtime.Status
		want     string // empty if the pair is allowed
	}{
		{runtime.StatusRunning, runtime.StatusRunning, `transition is not allowed from "running" to "running": running may become stopped or removed`},
		{runtime.StatusRunning, runtime.StatusStopped, ""},
		{runtime.StatusRunning, runtime.StatusRemoved, ""},
		{runtime.StatusStopped, runtime.StatusRunning, ""},
		{runtime.StatusStopped, runtime.StatusStopped, `transition is not allowed from "stopped" to "stopped": stopped may become running or removed`},
		{runtime.StatusStopped, runtime.StatusRemoved, ""},
		{runtime.StatusRemoved, runtime.StatusRunning, `transition is not allowed from "removed" to "running"` + removedIsFinal},
		{runtime.StatusRemoved, runtime.StatusStopped, `transition is not allowed from "removed" to "stopped"` + removedIsFinal},
		{runtime.StatusRemoved, runtime.StatusRemoved, `transition is not allowed from "removed" to "removed"` + removedIsFinal},
		{"", runtime.StatusRunning, `transition is not allowed from "" to "running": "" has no transitions`},
		{runtime.StatusRunning, "paused", `transition is not allowed from "running" to "paused": running may become stopped or removed`},
	}
	for _, tt := range tests {
		t.Run(string(tt.from)+" to "+string(tt.to), func(t *testing.T) {
			t.Parallel()
			err := runtime.Transition(tt.from, tt.to)
			_, applied := record(tt.from).Apply(tt.to, timeAt(9))
			require.Equal(t, err, applied, "Apply allows what Transition allows")
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, runtime.ErrInvalidTransition)
			require.EqualError(t, err, tt.want)
			var rejected *runtime.TransitionError
			require.ErrorAs(t, err, &rejected)
			require.Equal(t, runtime.TransitionError{From: tt.from, To: tt.to}, *rejected)
		})
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from, to runtime.Status
		want     func(*runtime.RuntimeRecord)
	}{
		{runtime.StatusRunning, runtime.StatusStopped, func(r *runtime.RuntimeRecord) { r.StoppedAt = timePtrAt(9) }},
		{runtime.StatusRunning, runtime.StatusRemoved, func(r *runtime.RuntimeRecord) { r.RemovedAt, r.CurrentContainerID = timePtrAt(9), "" }},
		{runtime.StatusStopped, runtime.StatusRunning, func(r *runtime.RuntimeRecord) { r.StartedAt, r.StoppedAt = timePtrAt(9), nil }},
		{runtime.StatusStopped, runtime.StatusRemoved, func(r *runtime.RuntimeRecord) { r.RemovedAt, r.CurrentContainerID = timePtrAt(9), "" }},
	}
	for _, tt := range tests {
		t.Run(string(tt.from)+" to "+string(tt.to), func(t *testing.T) {
			t.Parallel()
			before := record(tt.from)
			want := record(tt.from)
			want.Status, want.LastOpAt = tt.to, timeAt(9)
			tt.want(&want)
			after, err := before.Apply(tt.to, timeAt(9).In(time.FixedZone("", 3600)))
			require.NoError(t, err)
			require.Equal(t, want, after)
			require.NoError(t, after.Validate(), "a transition of a valid record returns a valid record")
			require.Equal(t, record(tt.from), before, "the record itself does not change")
		})
	}
}

func TestApplySharesNoMemory(t *testing.T) {
	t.Parallel()
	before := record(runtime.StatusStopped)
	after, err := before.Apply(runtime.StatusRemoved, timeAt(9))
	require.NoError(t, err)
	*after.StartedAt, *after.StoppedAt = timeAt(50), timeAt(50)
	require.Equal(t, record(runtime.StatusStopped), before)
}
