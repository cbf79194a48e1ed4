package regions_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/regions"
)

func TestClusterSurvivesTheLossOfAMember(t *testing.T) {
	t.Parallel()
	cluster := regions.Start(t, regions.RoundTrips{EUToUS: 10 * time.Millisecond, EUToAP: 20 * time.Millisecond, USToAP: 30 * time.Millisecond})
	put := func(ctx context.Context) error {
		_, err := cluster.Client(regions.AP).Put(ctx, "key", "value")
		return err
	}
	require.NoError(t, put(t.Context()))

	cluster.Network.Isolate(regions.AP)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.Error(t, put(ctx), "an isolated member has no majority")

	cluster.Network.Repair()
	cluster.KillMember(regions.EU)
	require.Eventually(t, func() bool { return cluster.Leader() != "" && cluster.Leader() != regions.EU }, time.Minute, 100*time.Millisecond)
	require.NoError(t, put(t.Context()))

	cluster.RestartMember(regions.EU)
	cluster.MoveLeader(regions.EU)
	require.NoError(t, put(t.Context()))
}
