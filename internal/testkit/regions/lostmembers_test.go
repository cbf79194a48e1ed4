package regions_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/regions"
)

// The member that leads etcd is lost: every region continues. Another member is lost: no region
// writes, games and local reads continue. When a member returns, every region writes, without
// a restart of a daemon.
func TestLossOfMembers(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for elections")
	}
	t.Parallel()
	cluster := regions.Start(t, regions.RoundTrips{EUToUS: 10 * time.Millisecond, EUToAP: 20 * time.Millisecond, USToAP: 30 * time.Millisecond})
	daemons := map[string]*regions.Daemon{}
	for _, region := range regions.Names() {
		// A session lasts longer than the outage, so that no node is lost.
		daemons[region] = cluster.StartDaemon(region, region+"-1", "--node-ttl", "5m")
	}
	requireStatus(t, daemons[regions.EU], http.StatusOK, http.MethodPost, "/v1/runtimes/g/start", map[string]any{"image": "gameserver:1.0.0"})
	containers := daemons[regions.EU].LiveContainers()
	require.Len(t, containers, 1)
	requireWrites := func(event string) {
		t.Helper()
		since := time.Now()
		for _, region := range regions.Names() {
			requireEventually(t, region+" writes after "+event, func() bool {
				return tryPut(t, daemons[region], "record-"+region)
			})
		}
		t.Logf("every region has written %s after %s", time.Since(since).Round(100*time.Millisecond), event)
	}
	requireWrites("the start")
	cluster.KillMember(regions.EU)
	requireWrites("the loss of the leader")

	cluster.KillMember(regions.US)
	for _, region := range regions.Names() {
		require.False(t, tryPut(t, daemons[region], "record-"+region), "%s has no majority", region)
		requireStatus(t, daemons[region], http.StatusOK, http.MethodGet, "/v1/runtimes/g?consistency=local", nil)
	}
	require.Equal(t, containers, daemons[regions.EU].LiveContainers())

	cluster.RestartMember(regions.US)
	requireWrites("the return of a majority")
	cluster.RestartMember(regions.EU)
	requireWrites("the return of all members")
	require.Equal(t, "running", readRecord(t, daemons[regions.AP], "g")["status"])
	require.Equal(t, containers, daemons[regions.EU].LiveContainers(), "the game was not restarted")
}

// tryPut writes a record, and reports whether that was acknowledged soon.
func tryPut(t *testing.T, d *regions.Daemon, gameID string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	response, err := d.Do(ctx, http.MethodPut, "/v1/runtimes/"+gameID, stoppedRecord(gameID))
	return err == nil && response.Status == http.StatusOK
}
