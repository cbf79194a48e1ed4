package runtime_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

func TestTransition(t *testing.T) {
	t.Parallel()
	const none = ": nothing follows "
	tests := []struct {
		from, to runtime.Status
		refused  string // empty where the pair is allowed
	}{
		{runtime.StatusRunning, runtime.StatusRunning, `transition is not allowed from "running" to "running": running may become stopped or removed`},
		{runtime.StatusRunning, runtime.StatusStopped, ""},
		{runtime.StatusRunning, runtime.StatusRemoved, ""},
		{runtime.StatusStopped, runtime.StatusRunning, ""},
		{runtime.StatusStopped, runtime.StatusStopped, `transition is not allowed from "stopped" to "stopped": stopped may become running or removed`},
		{runtime.StatusStopped, runtime.StatusRemoved, ""},
		{runtime.StatusRemoved, runtime.StatusRunning, `transition is not allowed from "removed" to "running"` + none + `"removed"`},
		{runtime.StatusRemoved, runtime.StatusStopped, `transition is not allowed from "removed" to "stopped"` + none + `"removed"`},
		{runtime.StatusRemoved, runtime.StatusRemoved, `transition is not allowed from "removed" to "removed"` + none + `"removed"`},
		{"", runtime.StatusRunning, `transition is not allowed from "" to "running"` + none + `""`},
		{runtime.StatusRunning, "paused", `transition is not allowed from "running" to "paused": running may become stopped or removed`},
	}
	for _, tt := range tests {
		t.Run(string(tt.from)+" to "+string(tt.to), func(t *testing.T) {
			t.Parallel()
			err := runtime.Transition(tt.from, tt.to)
			_, applied := record(tt.from).Apply(tt.to, instant(9))
			require.Equal(t, err, applied, "Apply allows what Transition allows")
			if tt.refused == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, runtime.ErrInvalidTransition)
			require.EqualError(t, err, tt.refused)
			var refused *runtime.TransitionError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, runtime.TransitionError{From: tt.from, To: tt.to}, *refused)
		})
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from, to runtime.Status
		want     func(*runtime.RuntimeRecord)
	}{
		{runtime.StatusRunning, runtime.StatusStopped, func(r *runtime.RuntimeRecord) { r.StoppedAt = instantPtr(9) }},
		{runtime.StatusRunning, runtime.StatusRemoved, func(r *runtime.RuntimeRecord) { r.RemovedAt, r.CurrentContainerID = instantPtr(9), "" }},
		{runtime.StatusStopped, runtime.StatusRunning, func(r *runtime.RuntimeRecord) { r.StartedAt, r.StoppedAt = instantPtr(9), nil }},
		{runtime.StatusStopped, runtime.StatusRemoved, func(r *runtime.RuntimeRecord) { r.RemovedAt, r.CurrentContainerID = instantPtr(9), "" }},
	}
	for _, tt := range tests {
		t.Run(string(tt.from)+" to "+string(tt.to), func(t *testing.T) {
			t.Parallel()
			before := record(tt.from)
			want := record(tt.from)
			want.Status, want.LastOpAt = tt.to, instant(9)
			tt.want(&want)
			after, err := before.Apply(tt.to, instant(9).In(time.FixedZone("", 3600)))
			require.NoError(t, err)
			require.Equal(t, want, after)
			require.NoError(t, after.Validate(), "a transition of a valid record gives a valid record")
			require.Equal(t, record(tt.from), before, "the record itself is left alone")
		})
	}
}

func TestApplySharesNoMemory(t *testing.T) {
	t.Parallel()
	before := record(runtime.StatusStopped)
	after, err := before.Apply(runtime.StatusRemoved, instant(9))
	require.NoError(t, err)
	*after.StartedAt, *after.StoppedAt = instant(50), instant(50)
	require.Equal(t, record(runtime.StatusStopped), before)
}
