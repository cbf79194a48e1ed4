package regions_test

import (
	"strings"
	"sync"
	"testing"

	"galaxy/rtmanager/internal/testkit/regions"
)

// operationCount is how often each operation is repeated.
const operationCount = 2

// requestCount is how often each request is repeated. It is even, because every second status
// update restores the status of the record.
func requestCount() int {
	if *measureOnly {
		return 10
	}
	return 4
}

// Each call of the API takes no more round trips than it needs, from every region. The
// fastest of several calls counts, so that a busy machine makes no difference. Operations are
// only measured: they also wait for processes. The tests of the lifecycle count their requests.
func TestRoundTripsOfAPICalls(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the delays between regions")
	}
	for _, members := range []string{"embedded", "external"} {
		if members == "external" && !*measureOnly {
			continue // the daemon takes as many round trips to them
		}
		t.Run(members+" members", func(t *testing.T) {
			daemons := map[string]*regions.Daemon{}
			if members == "embedded" {
				cluster := regions.StartEmbedded(t, regions.Far)
				for _, region := range regions.Names() {
					daemons[region] = cluster.Daemon(region)
				}
			} else {
				cluster := regions.Start(t, regions.Far)
				for _, region := range regions.Names() {
					daemons[region] = cluster.StartDaemon(region, region+"-1")
				}
			}
			measureRoundTrips(t, daemons)
		})
	}
}

// measureRoundTrips measures all calls and prints a table. It fails the test if a call exceeds
// its bound.
func measureRoundTrips(t *testing.T, daemons map[string]*regions.Daemon) {
	t.Helper()
	rows := map[string][]*callTimes{}
	for _, region := range regions.Names() { // one after the other: etcd delays reads that meet others
		rows[region] = append(measureRequests(t, daemons[region], region), measureDeliveries(t, daemons, region)...)
	}
	var mu sync.Mutex // guards rows
	t.Run("operations", func(t *testing.T) {
		for _, region := range regions.Names() {
			t.Run(region, func(t *testing.T) {
				t.Parallel()
				measured := measureOperations(t, daemons[region], region)
				mu.Lock()
				defer mu.Unlock()
				rows[region] = append(rows[region], measured...)
			})
		}
	})
	table := strings.Builder{}
	table.WriteString("| call | region | least | fastest | median | fastest ÷ least |\n|---|---|---|---|---|---|\n")
	for _, region := range regions.Names() {
		for _, row := range rows[region] {
			table.WriteString(row.String())
			if !*measureOnly && len(row.durations) > 0 && row.call.isBounded && row.roundTrips() > row.call.bound {
				t.Errorf("%s from %s took %.2f times the least time of %s; at most %d round trips are allowed",
					row.call.name, region, row.ratio(), row.call.least, row.call.bound)
			}
		}
	}
	t.Log("\n" + table.String())
}

// measureRequests repeats the calls that only read or write records.
func measureRequests(t *testing.T, d *regions.Daemon, region string) []*callTimes {
	t.Helper()
	var rows []*callTimes
	for _, call := range requestCalls(region) {
		row := &callTimes{region: region, call: call}
		rows = append(rows, row)
		for index := range requestCount() {
			row.measure(t, d, index)
		}
	}
	return rows
}

// measureOperations repeats the operations on one game.
func measureOperations(t *testing.T, d *regions.Daemon, region string) []*callTimes {
	t.Helper()
	var rows []*callTimes
	for _, call := range operationCalls(region) {
		rows = append(rows, &callTimes{region: region, call: call})
	}
	for index := range operationCount {
		for _, row := range rows {
			row.measure(t, d, index)
		}
	}
	return rows
}
