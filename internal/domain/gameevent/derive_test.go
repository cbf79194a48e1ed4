package gameevent_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/gameevent"
	"galaxy/rtmanager/internal/domain/runtime"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// after returns a time after noon.
func after(seconds int) *time.Time {
	at := noon.Add(time.Duration(seconds) * time.Second)
	return &at
}

func running() runtime.RuntimeRecord {
	return runtime.RuntimeRecord{
		GameID: "g", Status: runtime.StatusRunning, Region: "eu", Node: "n1", CurrentContainerID: "c", CurrentImageRef: "a:1", CreatedAt: noon, LastOpAt: noon, StartedAt: &noon,
		Condition: runtime.Condition{Health: runtime.HealthHealthy, HealthSince: &noon},
	}
}

func operation(kind string) *runtime.OperationInProgress {
	return &runtime.OperationInProgress{ID: "op_" + kind, Kind: kind, StartedAt: *after(1)}
}

type change = func(*runtime.RuntimeRecord)

func TestDerive(t *testing.T) {
	t.Parallel()
	stopped := func(r *runtime.RuntimeRecord) {
		r.Status, r.StoppedAt, r.LastOpAt, r.Health, r.HealthSince = runtime.StatusStopped, after(5), *after(5), "", nil
	}
	for name, c := range map[string]struct {
		before, after change
		want          []string
		at            []*time.Time // of each event; nil means noon
	}{
		"nothing":                    {},
		"another address":            {after: func(r *runtime.RuntimeRecord) { r.EngineEndpoint, r.Generation = "http://h:1", 2 }},
		"an earlier restart expires": {before: func(r *runtime.RuntimeRecord) { r.Restarts = 2 }, after: func(r *runtime.RuntimeRecord) { r.Restarts = 1 }},
		"operation starts":           {after: func(r *runtime.RuntimeRecord) { r.Operation = operation("patch") }, want: []string{"operation_started: patch has started"}, at: []*time.Time{after(1)}},
		"operation ends":             {before: func(r *runtime.RuntimeRecord) { r.Operation = operation("patch") }, want: []string{"operation_finished: patch has ended"}},
		"operation follows another": {
			before: func(r *runtime.RuntimeRecord) { r.Operation = operation("patch") }, after: func(r *runtime.RuntimeRecord) { r.Operation = operation("stop") },
			want: []string{"operation_started: stop has started", "operation_finished: patch has ended"}, at: []*time.Time{after(1), nil},
		},
		"stop": {
			before: func(r *runtime.RuntimeRecord) { r.Operation = operation("stop") }, after: stopped,
			want: []string{"status_changed: running → stopped", "ready_changed: players cannot use it", "operation_finished: stop has succeeded"}, at: []*time.Time{after(5), after(5), after(5)},
		},
		"exit":      {after: stopped, want: []string{"status_changed: running → stopped", "ready_changed: players cannot use it"}, at: []*time.Time{after(5), after(5)}},
		"patch":     {after: func(r *runtime.RuntimeRecord) { r.CurrentImageRef = "a:2" }, want: []string{"image_changed: image a:1 → a:2"}},
		"moved tag": {before: func(r *runtime.RuntimeRecord) { r.ImageDigest = "x" }, after: func(r *runtime.RuntimeRecord) { r.ImageDigest = "y" }, want: []string{"image_changed: image a:1 has another content"}},
		"unhealthy": {
			after: func(r *runtime.RuntimeRecord) { r.Health, r.HealthSince = runtime.HealthUnhealthy, after(3) },
			want:  []string{"health_changed: health healthy → unhealthy", "ready_changed: players cannot use it"}, at: []*time.Time{after(3), after(3)},
		},
		"node lost": {
			after: func(r *runtime.RuntimeRecord) { r.Condition = r.WithNodeLost(*after(2), *after(4)) },
			want:  []string{"node_lost: node eu/n1 is lost", "health_changed: health healthy → unknown", "ready_changed: players cannot use it"}, at: []*time.Time{after(2), after(4), after(4)},
		},
		"node returned": {before: func(r *runtime.RuntimeRecord) { r.NodeLostAt = after(2) }, want: []string{"node_returned: node eu/n1 has returned", "ready_changed: players can use it"}},
		"rescheduled": {
			before: func(r *runtime.RuntimeRecord) { r.NodeLostAt = after(2) }, after: func(r *runtime.RuntimeRecord) { r.Node = "n2" },
			want: []string{"moved: eu/n1 → eu/n2", "ready_changed: players can use it"},
		},
		"crash restart": {after: func(r *runtime.RuntimeRecord) { r.Restarts, r.StartedAt = 2, after(6) }, want: []string{"crash_restarted: restarted after a crash, restarts in the window: 2"}, at: []*time.Time{after(6)}},
		"crash loop":    {after: func(r *runtime.RuntimeRecord) { r.CrashLoop = true }, want: []string{"crash_loop: crash loop: no restart is left"}},
		"loop ended":    {before: func(r *runtime.RuntimeRecord) { r.CrashLoop = true }, want: []string{"crash_loop_ended: no crash loop any more"}},
		"labels":        {after: func(r *runtime.RuntimeRecord) { r.Labels = map[string]string{"a": "b"} }, want: []string{"labels_changed: labels have changed"}},
		"metadata":      {after: func(r *runtime.RuntimeRecord) { r.Metadata = `{"a":1}` }, want: []string{"metadata_changed: metadata has changed"}},
	} {
		a, b := running(), running()
		if c.before != nil {
			c.before(&a)
		}
		if c.after != nil {
			c.after(&b)
		}
		events := gameevent.Derive(&a, &b)
		require.Equal(t, c.want, textsOf(events), name)
		for i, event := range events {
			want := noon
			if i < len(c.at) && c.at[i] != nil {
				want = *c.at[i]
			}
			require.Equal(t, want, event.Time, "%s: %s", name, event.Type)
			require.Equal(t, []string{"g", "eu", b.Node, string(b.Status)}, []string{event.GameID, event.Region, event.Node, string(event.Status)}, name)
		}
	}
}

func TestDeriveOfOneVersion(t *testing.T) {
	t.Parallel()
	record := running()
	require.Empty(t, gameevent.Derive(nil, nil))
	require.Equal(t, []string{"deleted: deleted, was running"}, textsOf(gameevent.Derive(&record, nil)))
	require.Equal(t, []string{"created: created as running"}, textsOf(gameevent.Derive(nil, &record)))
	record.Operation = operation("start")
	require.Equal(t, []string{"created: created as running", "operation_started: start has started"}, textsOf(gameevent.Derive(nil, &record)))
}

// textsOf returns the types and texts, and requires that each type occurs once, in the order of Types.
func textsOf(events []gameevent.Event) (texts []string) {
	for _, event := range events {
		texts = append(texts, string(event.Type)+": "+event.Text())
	}
	return texts
}

func TestTypes(t *testing.T) {
	t.Parallel()
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(gameevent.Types()))), len(gameevent.Types()))
	for _, want := range gameevent.Types() {
		got, err := gameevent.ParseType("type", string(want))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := gameevent.ParseType("type", "no")
	require.ErrorIs(t, err, runtime.ErrInvalid)
	require.Equal(t, "start has failed: no image", gameevent.Event{Type: gameevent.Finished, OperationKind: "start", Result: gameevent.Failed, Failure: "no image", Reason: "r"}.Text())
	require.Equal(t, "running → stopped: maintenance", gameevent.Event{Type: gameevent.StatusChanged, From: "running", To: "stopped", Reason: "maintenance"}.Text())
}
