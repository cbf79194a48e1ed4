package runtime_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

func TestRecordValidateAccepts(t *testing.T) {
	t.Parallel()
	for _, status := range runtime.Statuses() {
		require.NoError(t, record(status).Validate(), "%s", status)
	}
	bare := record(runtime.StatusRunning)
	bare.Region, bare.Node, bare.CurrentImageRef, bare.EngineEndpoint = "", "", "", ""
	require.NoError(t, bare.Validate(), "region, node, image and endpoint may be empty")
}

func TestRecordValidateRejects(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		status  runtime.Status
		corrupt func(*runtime.RuntimeRecord)
		want    string
	}{
		{"no game id", runtime.StatusRunning, func(r *runtime.RuntimeRecord) { r.GameID = "" }, "game_id is empty; name the game"},
		{"no status", runtime.StatusRunning, func(r *runtime.RuntimeRecord) { r.Status = "" }, `status "" is not a status; use one of running, stopped, removed`},
		{"unknown status", runtime.StatusRunning, func(r *runtime.RuntimeRecord) { r.Status = "Running" }, `status "Running" is not a status; use one of running, stopped, removed`},
		{"no created_at", runtime.StatusRunning, func(r *runtime.RuntimeRecord) { r.CreatedAt = time.Time{} }, "created_at is required"},
		{"no last_op_at", runtime.StatusRemoved, func(r *runtime.RuntimeRecord) { r.LastOpAt = time.Time{} }, "last_op_at is required"},
		{"negative generation", runtime.StatusStopped, func(r *runtime.RuntimeRecord) { r.Generation = -1 }, "generation must not be negative"},
		{"running without container", runtime.StatusRunning, func(r *runtime.RuntimeRecord) { r.CurrentContainerID = "" }, "current_container_id is required while running"},
		{"running without started_at", runtime.StatusRunning, func(r *runtime.RuntimeRecord) { r.StartedAt = nil }, "started_at is required while running"},
		{"running with stopped_at", runtime.StatusRunning, func(r *runtime.RuntimeRecord) { r.StoppedAt = timePtrAt(2) }, "stopped_at must be absent while running"},
		{"running with removed_at", runtime.StatusRunning, func(r *runtime.RuntimeRecord) { r.RemovedAt = timePtrAt(2) }, "removed_at must be absent while running"},
		{"stopped without container", runtime.StatusStopped, func(r *runtime.RuntimeRecord) { r.CurrentContainerID = "" }, "current_container_id is required while stopped"},
		{"stopped without stopped_at", runtime.StatusStopped, func(r *runtime.RuntimeRecord) { r.StoppedAt = nil }, "stopped_at is required while stopped"},
		{"stopped with removed_at", runtime.StatusStopped, func(r *runtime.RuntimeRecord) { r.RemovedAt = timePtrAt(2) }, "removed_at must be absent while stopped"},
		{"removed without removed_at", runtime.StatusRemoved, func(r *runtime.RuntimeRecord) { r.RemovedAt = nil }, "removed_at is required once removed"},
		{"removed with container", runtime.StatusRemoved, func(r *runtime.RuntimeRecord) { r.CurrentContainerID = "c1" }, "current_container_id must be empty once removed"},
		{"zero started_at", runtime.StatusRunning, func(r *runtime.RuntimeRecord) { r.StartedAt = &time.Time{} }, "started_at must be absent or a time other than the zero time"},
		{"zero stopped_at", runtime.StatusStopped, func(r *runtime.RuntimeRecord) { r.StoppedAt = &time.Time{} }, "stopped_at must be absent or a time other than the zero time"},
		{"zero removed_at", runtime.StatusRemoved, func(r *runtime.RuntimeRecord) { r.RemovedAt = &time.Time{} }, "removed_at must be absent or a time other than the zero time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := record(tt.status)
			tt.corrupt(&r)
			err := r.Validate()
			require.ErrorIs(t, err, runtime.ErrInvalid)
			require.EqualError(t, err, tt.want)
			var invalid *runtime.InvalidError
			require.True(t, errors.As(err, &invalid))
		})
	}
}

func TestRecordValidateReturnsEveryFault(t *testing.T) {
	t.Parallel()
	require.EqualError(t, runtime.RuntimeRecord{Status: runtime.StatusRunning}.Validate(),
		"game_id is empty; name the game\ncreated_at is required\nlast_op_at is required\n"+
			"current_container_id is required while running\nstarted_at is required while running")
}

func TestRecordClone(t *testing.T) {
	t.Parallel()
	r := record(runtime.StatusRemoved)
	c := r.Clone()
	require.Equal(t, r, c)
	*c.StartedAt, *c.StoppedAt, *c.RemovedAt = timeAt(50), timeAt(50), timeAt(50)
	require.Equal(t, record(runtime.StatusRemoved), r)

	r.Labels, r.Ports = map[string]string{"mode": "ranked"}, []runtime.Port{{Name: "game"}}
	r.HealthSince, r.NodeLostAt, r.Operation = timePtrAt(3), timePtrAt(4), &runtime.OperationInProgress{ID: "op"}
	c = r.Clone()
	require.Equal(t, r, c)
	c.Labels["mode"], c.Ports[0].Name, c.Operation.ID = "other", "other", "other"
	*c.HealthSince, *c.NodeLostAt = timeAt(50), timeAt(50)
	require.Equal(t, "ranked game op", r.Labels["mode"]+" "+r.Ports[0].Name+" "+r.Operation.ID)
	require.Equal(t, timePtrAt(3), r.HealthSince)
	require.Equal(t, timePtrAt(4), r.NodeLostAt)
}

func TestIsReady(t *testing.T) {
	t.Parallel()
	running := record(runtime.StatusRunning)
	for health, want := range map[runtime.Health]bool{
		"": false, runtime.HealthUnknown: false, runtime.HealthUnhealthy: false, runtime.HealthHealthy: true, runtime.HealthNone: true,
	} {
		running.Health = health
		require.Equal(t, want, running.IsReady(), "%q", health)
	}
	running.Health, running.NodeLostAt = runtime.HealthHealthy, timePtrAt(3)
	require.False(t, running.IsReady())
	require.False(t, record(runtime.StatusStopped).IsReady())
}

func TestRecordInUTC(t *testing.T) {
	t.Parallel()
	local := record(runtime.StatusRemoved)
	zone := time.FixedZone("", 3600)
	for _, at := range []*time.Time{&local.CreatedAt, &local.LastOpAt, local.StartedAt, local.StoppedAt, local.RemovedAt} {
		*at = at.In(zone)
	}
	require.Equal(t, record(runtime.StatusRemoved), local.InUTC())
	require.Equal(t, zone, local.StartedAt.Location(), "the record itself does not change")

	r := record(runtime.StatusRunning)
	r.LastOpAt = time.Now()
	require.NotContains(t, r.InUTC().LastOpAt.String(), "m=", "no monotonic clock reading")
}

func TestRecordJSONNames(t *testing.T) {
	t.Parallel()
	encoded, err := json.Marshal(record(runtime.StatusRunning))
	require.NoError(t, err)
	require.JSONEq(t, `{
		"game_id": "game-1", "status": "running", "region": "eu", "node": "n1", "current_container_id": "c1",
		"current_image_ref": "engine:1", "engine_endpoint": "http://10.0.0.1", "state_path": "/state",
		"docker_network": "net", "generation": 2, "created_at": "2026-03-01T12:00:00.123456789Z",
		"last_op_at": "2026-03-01T12:01:00.123456789Z", "started_at": "2026-03-01T12:01:00.123456789Z"
	}`, string(encoded))
}

// TestEqualComparesEveryField changes one field at a time by reflection, so that it
// covers fields added later.
func TestEqualComparesEveryField(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	newRecord := func() runtime.RuntimeRecord { return runtime.RuntimeRecord{StartedAt: &at, CreatedAt: at} }
	require.True(t, newRecord().Equal(newRecord()))
	otherZone := newRecord()
	shifted := at.In(time.FixedZone("there", 3600))
	otherZone.StartedAt, otherZone.CreatedAt = &shifted, shifted
	require.True(t, newRecord().Equal(otherZone), "the same times in another time zone")
	for _, field := range reflect.VisibleFields(reflect.TypeFor[runtime.RuntimeRecord]()) {
		if field.Anonymous {
			continue
		}
		other := newRecord()
		value := reflect.ValueOf(&other).Elem().FieldByIndex(field.Index)
		switch value.Interface().(type) {
		case string, runtime.Status, runtime.Health, runtime.Metadata:
			value.SetString("other")
		case bool:
			value.SetBool(true)
		case int64:
			value.SetInt(7)
		case float64:
			value.SetFloat(7)
		case time.Time:
			value.Set(reflect.ValueOf(at.Add(1)))
		case *time.Time:
			later := at.Add(1)
			value.Set(reflect.ValueOf(&later))
		case map[string]string:
			value.Set(reflect.ValueOf(map[string]string{"a": "b"}))
		case []runtime.Port:
			value.Set(reflect.ValueOf([]runtime.Port{{Name: "game"}}))
		case *runtime.OperationInProgress:
			value.Set(reflect.ValueOf(&runtime.OperationInProgress{ID: "op"}))
		default:
			t.Fatalf("this test does not know how to change a %s", field.Type)
		}
		require.False(t, newRecord().Equal(other), "%s differs", field.Name)
		require.False(t, other.Equal(newRecord()), "%s differs", field.Name)
	}
}
