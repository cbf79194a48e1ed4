package operation_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

func TestSpecWithAnImageIsValid(t *testing.T) {
	t.Parallel()
	require.NoError(t, operation.Spec{Image: "gameserver:1.0.0"}.Validate())
	require.NoError(t, operation.Spec{Image: "gameserver:1.0.0"}.WithDefaults().Validate())
}

func TestSpecValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(s *operation.Spec)
		want string
	}{
		{"no image", func(s *operation.Spec) { s.Image = "" }, "image is required"},
		{"image with a space", func(s *operation.Spec) { s.Image = "a b" }, `image "a b" is not an image reference`},
		{"image outside of the images directory", func(s *operation.Spec) { s.Image = "../../etc/passwd" }, "is not an image reference"},
		{"image like a flag", func(s *operation.Spec) { s.Image = "--privileged" }, "is not an image reference"},
		{"long image", func(s *operation.Spec) { s.Image = strings.Repeat("x", 513) }, "image has 513 bytes"},
		{"port", func(s *operation.Spec) { s.Port = 70000 }, "port 70000 is not a port"},
		{"negative port", func(s *operation.Spec) { s.Port = -1 }, "port -1 is not a port"},
		{"container port", func(s *operation.Spec) { s.ContainerPort = 70000 }, "container_port 70000"},
		{"cpus", func(s *operation.Spec) { s.CPUs = -1 }, "cpus -1"},
		{"memory", func(s *operation.Spec) { s.MemoryBytes = 1 }, "memory_bytes 1 is less than the minimum"},
		{"network", func(s *operation.Spec) { s.Network = "a b" }, `network "a b"`},
		{"long network", func(s *operation.Spec) { s.Network = strings.Repeat("n", 256) }, "network has 256 bytes; at most 255 are allowed"},
		{"health path", func(s *operation.Spec) { s.HealthPath = "healthz" }, `health_path "healthz"`},
		{"health path that changes the host", func(s *operation.Spec) { s.HealthPath = "@evil/" }, `health_path "@evil/"`},
		{"health path with a broken escape", func(s *operation.Spec) { s.HealthPath = "/%zz" }, `health_path "/%zz"`},
		{"health path with a control character", func(s *operation.Spec) { s.HealthPath = "/a\tb" }, `health_path "/a\tb"`},
		{"health timeout", func(s *operation.Spec) { s.HealthTimeout = -1 }, "health_timeout -1ns"},
		{"stop grace", func(s *operation.Spec) { s.StopGrace = operation.Duration(2 * time.Hour) }, "stop_grace 2h0m0s"},
		{"attempts", func(s *operation.Spec) { s.Crash.Attempts = -1 }, "crash.attempts -1"},
		{"window", func(s *operation.Spec) { s.Crash.Window = -1 }, "crash.window must not be negative"},
		{"node lost", func(s *operation.Spec) { s.OnNodeLost = "panic" }, `on_node_lost "panic"`},
		{"regions of a game that is kept", func(s *operation.Spec) { s.OnNodeLost, s.Regions = operation.NodeLostKeep, []string{"us"} }, `regions are for the policy "reschedule", and on_node_lost is "keep"`},
		{"region without a name", func(s *operation.Spec) { s.Regions = []string{"us", " "} }, `regions contain " "`},
		{"region twice", func(s *operation.Spec) { s.Regions = []string{"us", "eu", "us"} }, `regions contain "us" twice`},
		{"too many regions", func(s *operation.Spec) { s.Regions = make([]string, 33) }, "regions are 33; at most 32 are allowed"},
		{"variable without a name", func(s *operation.Spec) { s.Env = map[string]string{"": "x"} }, "env contains"},
		{"variable with an equals sign", func(s *operation.Spec) { s.Env = map[string]string{"A=B": "x"} }, `env contains "A=B"`},
		{"NUL in an argument", func(s *operation.Spec) { s.Args = []string{"\x00"} }, "args contain a NUL byte"},
		{"too much text", func(s *operation.Spec) { s.Args = []string{strings.Repeat("x", 40_000)} }, "at most 32768 are allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			spec := operation.Spec{Image: "gameserver:1.0.0"}
			tt.edit(&spec)
			err := spec.Validate()
			require.ErrorIs(t, err, runtime.ErrInvalid)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestSpecReportsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	err := operation.Spec{Port: -1, CPUs: -1}.Validate()
	for _, field := range []string{"image", "port", "cpus"} {
		require.ErrorContains(t, err, field)
	}
}

func TestDurationsEncodeAsText(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(operation.Spec{Image: "a:1", StopGrace: operation.Duration(90 * time.Second)})
	require.NoError(t, err)
	require.JSONEq(t, `{"image":"a:1","stop_grace":"1m30s"}`, string(text))
	var back operation.Spec
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, operation.Duration(90*time.Second), back.StopGrace)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"stop_grace":"soon"}`), &back), `"soon" is not a duration`)
}

func TestRestartsWithinDropsRestartsOutsideOfTheWindow(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	restarts := []time.Time{now.Add(10 * time.Minute), now.Add(-time.Minute), now.Add(-time.Hour), now.Add(time.Hour)}
	require.Equal(t, restarts[:2], operation.RestartsWithin(restarts, 10*time.Minute, now))
	require.Len(t, restarts, 4, "the argument is not modified")
}

func TestAddOutcomeDropsAutomaticOperationsFirst(t *testing.T) {
	t.Parallel()
	var in operation.Intent
	end := func(id string, automatic bool) {
		in.AddOutcome(operation.Operation{ID: id, Automatic: automatic}.Outcome(time.Time{}))
	}
	end("first", false)
	for i := range 3 * operation.MaxRecent {
		end(fmt.Sprint("restart-", i), true)
	}
	require.Len(t, in.Recent, operation.MaxRecent)
	require.Equal(t, "restart-47", in.Recent[0].OperationID)
	_, found := in.OutcomeOf("first")
	require.True(t, found, "its client may still retry it")
	for i := range operation.MaxRecent {
		end(fmt.Sprint("start-", i), false)
	}
	require.Len(t, in.Recent, operation.MaxRecent)
	require.Equal(t, "start-15", in.Recent[0].OperationID)
	require.Equal(t, "start-0", in.Recent[operation.MaxRecent-1].OperationID)
}

func TestCloneSharesNoMemory(t *testing.T) {
	t.Parallel()
	full := func() operation.Intent {
		record := runtime.RuntimeRecord{GameID: "g"}
		return operation.Intent{
			GameID: "g", Spec: operation.Spec{Args: []string{"a"}, Env: map[string]string{"A": "1"}},
			Current:  &operation.Operation{ID: "op", PreviousRecord: &record, Failure: &operation.Failure{Message: "m"}, Spec: operation.Spec{Args: []string{"a"}}},
			Recent:   []operation.Outcome{{OperationID: "o", Failure: &operation.Failure{Message: "m"}}},
			Restarts: []time.Time{{}},
		}
	}
	in := full()
	copied := in.Clone()
	copied.Spec.Args[0], copied.Spec.Env["A"] = "b", "2"
	copied.Current.ID, copied.Current.PreviousRecord.GameID, copied.Current.Failure.Message, copied.Current.Spec.Args[0] = "x", "x", "x", "x"
	copied.Recent[0].OperationID, copied.Recent[0].Failure.Message = "x", "x"
	copied.Restarts[0] = time.Now()
	require.Equal(t, full(), in)
}

func FuzzValidateImage(f *testing.F) {
	for _, seed := range []string{"a", "a:1", "r:5000/a/b:1@sha256:00", "../a", "a//b", "a/./b", "-x", "", "ä", "a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, image string) {
		if operation.ValidateImage(image) != nil {
			return
		}
		for part := range strings.SplitSeq(image, "/") {
			require.NotContains(t, []string{"", ".", ".."}, part, "%q leaves the images directory", image)
		}
	})
}
