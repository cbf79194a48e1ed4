package chaos_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/network"
)

// execute makes a short run with one fault, without daemons, and returns its report.
func execute(t *testing.T, fault chaos.Fault) check.Report {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, chaos.Execute(t.Context(), chaos.Environment{Faults: []chaos.Fault{fault}}, chaos.Config{Dir: dir, Name: "r", Duration: 1500 * time.Millisecond, Log: t.Logf}))
	recorded, err := recording.Read(dir)
	require.NoError(t, err)
	require.NotEmpty(t, recorded.Faults)
	return check.Check(recorded)
}

// A run whose faults had nothing to disturb has no faults, and its cluster is whole.
func TestFaultsWithoutEffectAreNotInjected(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]chaos.Fault{
		"no connection to reset": resetFault(network.New(t)),
		"observed by the repair": {Kind: "compaction", MaxDuration: time.Millisecond, Inject: func(context.Context, *rand.Rand) (func(context.Context) error, string, error) {
			return func(context.Context) error { return errNoCompaction }, "", nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := execute(t, fault)
			require.Zero(t, report.Stats.InjectedFaults())
			require.Positive(t, report.Stats.FailedFaults)
			require.NoError(t, report.Void(check.Minimum{}), "the cluster is whole")
			require.ErrorContains(t, report.Void(check.Minimum{Faults: 1}), "it has 0 faults")
		})
	}
}
