package regions_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/testkit/regions"
)

// arrival is an event that a watch has received.
type arrival struct {
	event api.Event
	at    time.Time
}

// measureDeliveries measures the time from the start of a write in the region to its event in
// every region.
func measureDeliveries(t *testing.T, daemons map[string]*regions.Daemon, region string) []*callTimes {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var rows []*callTimes
	arrivals := map[string]<-chan arrival{}
	for _, watching := range regions.Names() {
		arrivals[watching] = watchEvents(ctx, t, daemons[watching])
		rows = append(rows, &callTimes{region: region, call: apiCall{
			name: "update, until its event in " + watching, least: leastDelivery(region, watching), isBounded: true, bound: 1,
		}})
	}
	update := requestCalls(region)[1]
	for index := range requestCount() {
		startedAt := time.Now()
		resp, err := daemons[region].Do(ctx, update.method, update.path, update.body(index))
		require.NoError(t, err)
		require.Equal(t, update.status, resp.Status, "%s", resp.Body)
		for i, watching := range regions.Names() {
			select {
			case arrived := <-arrivals[watching]:
				rows[i].durations = append(rows[i].durations, arrived.at.Sub(startedAt))
			case <-time.After(callTimeout):
				require.FailNow(t, "no event", "the watch of %s received no event of update %d from %s", watching, index, region)
			}
		}
	}
	return rows
}

// leastDelivery returns the least time from the start of a write to its event: to the leader, from
// the leader to the nearest other member and back, and to the region that watches.
func leastDelivery(from, to string) time.Duration {
	return roundTrip(from, regions.EU)/2 + regions.Far.EUToUS + roundTrip(regions.EU, to)/2
}

// watchEvents returns the changes of records that the daemon delivers from now on.
func watchEvents(ctx context.Context, t *testing.T, d *regions.Daemon) <-chan arrival {
	t.Helper()
	resp, err := d.Open(ctx, http.MethodGet, "/v1/watch", nil, "Accept: "+api.NDJSONMediaType) //nolint:bodyclose // below
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event api.Event
		require.NoError(t, json.Unmarshal(lines.Bytes(), &event))
		if event.Type == "synced" {
			break
		}
	}
	arrivals := make(chan arrival, 100)
	go func() {
		defer resp.Body.Close()
		for lines.Scan() {
			next := arrival{at: time.Now()}
			if json.Unmarshal(lines.Bytes(), &next.event) == nil && next.event.GameID != "" {
				arrivals <- next
			}
		}
	}()
	return arrivals
}
