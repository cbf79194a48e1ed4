package etcdcluster_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/etcdcluster"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestTimingFollowsTheRoundTrip(t *testing.T) {
	t.Parallel()
	for roundTrip, heartbeat := range map[time.Duration]time.Duration{
		0: 100 * time.Millisecond, 80 * time.Millisecond: 100 * time.Millisecond, 101 * time.Millisecond: 150 * time.Millisecond,
		200 * time.Millisecond: 200 * time.Millisecond, 20 * time.Second: 5 * time.Second,
	} {
		timing := etcdcluster.TimingFor(roundTrip)
		require.Equal(t, etcdcluster.Timing{Heartbeat: heartbeat, Election: 10 * heartbeat}, timing, "round trip %s", roundTrip)
		require.True(t, timing.Suits(roundTrip), "round trip %s", roundTrip)
	}
	require.True(t, etcdcluster.TimingFor(100*time.Millisecond).Suits(110*time.Millisecond), "the distance as measured")
	require.False(t, etcdcluster.TimingFor(100*time.Millisecond).Suits(112*time.Millisecond))
}

func TestInvalidTimingIsRejected(t *testing.T) {
	t.Parallel()
	var timing etcdcluster.Timing
	require.NoError(t, json.Unmarshal([]byte(`{"heartbeat_ms":100,"election_ms":1000}`), &timing))
	for _, text := range []string{`{}`, `{"heartbeat_ms":100,"election_ms":400}`, `{"heartbeat_ms":6000,"election_ms":60000}`, `1`} {
		require.Error(t, json.Unmarshal([]byte(text), &timing), text)
	}
}

func TestTimingIsOnlyRaised(t *testing.T) {
	t.Parallel()
	client := etcdtest.Start(t).Client()
	first, err := etcdcluster.EnsureTiming(t.Context(), client, etcdcluster.TimingFor(100*time.Millisecond))
	require.NoError(t, err)
	second, err := etcdcluster.EnsureTiming(t.Context(), client, etcdcluster.TimingFor(time.Second))
	require.NoError(t, err)
	require.Equal(t, first, second, "the first member decides")

	same, isRaised, err := etcdcluster.RaiseTiming(t.Context(), client, 90*time.Millisecond)
	require.NoError(t, err)
	require.False(t, isRaised)
	require.Equal(t, first, same)
	raised, isRaised, err := etcdcluster.RaiseTiming(t.Context(), client, 180*time.Millisecond)
	require.NoError(t, err)
	require.True(t, isRaised)
	require.Equal(t, 2*time.Second, raised.Election)
	stored, err := etcdcluster.LoadTiming(t.Context(), client)
	require.NoError(t, err)
	require.Equal(t, raised, stored)
}

func TestRunningTimings(t *testing.T) {
	t.Parallel()
	client := etcdtest.Start(t).Client()
	members, err := etcdcluster.List(t.Context(), client)
	require.NoError(t, err)
	self := members.List[0].ID
	timing := etcdcluster.TimingFor(0)
	require.NoError(t, etcdcluster.ReportTiming(t.Context(), client, 12345, timing))
	require.NoError(t, etcdcluster.ReportTiming(t.Context(), client, self, timing))
	running, err := etcdcluster.RunningTimings(t.Context(), client)
	require.NoError(t, err)
	require.Equal(t, map[uint64]etcdcluster.Timing{self: timing}, running, "the reports of former members are removed")
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	client := etcdtest.Start(t).Client()
	_, err := etcdcluster.LoadIdentity(t.Context(), client)
	require.ErrorIs(t, err, etcdcluster.ErrNoIdentity)
	require.NoError(t, etcdcluster.EnsureIdentity(t.Context(), client, etcdcluster.Identity{Token: "a"}))
	require.NoError(t, etcdcluster.EnsureIdentity(t.Context(), client, etcdcluster.Identity{Token: "b"}))
	identity, err := etcdcluster.LoadIdentity(t.Context(), client)
	require.NoError(t, err)
	require.Equal(t, "a", identity.Token)
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	roundTrip, err := etcdcluster.RoundTrip(t.Context(), etcdtest.Client(t))
	require.NoError(t, err)
	require.Positive(t, roundTrip)
}
