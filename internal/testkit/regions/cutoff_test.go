package regions_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/testkit/regions"
)

// One region is cut off. Its games keep running; it rejects writes and linearizable reads, and
// serves local reads with their age. The other regions continue, and start those games elsewhere
// whose spec names other regions. The region recovers by itself, and then every game runs once.
func TestRegionThatIsCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for leases to expire")
	}
	t.Parallel()
	cluster := regions.StartEmbedded(t, regions.RoundTrips{EUToUS: 10 * time.Millisecond, EUToAP: 20 * time.Millisecond, USToAP: 30 * time.Millisecond},
		"--node-ttl", "3s", "--node-lost-grace", "1s", "--reconcile-every", "1s")
	eu, us, ap := cluster.Daemon(regions.EU), cluster.Daemon(regions.US), cluster.Daemon(regions.AP)
	for gameID, body := range map[string]map[string]any{
		"stays": {"image": "gameserver:1.0.0", "on_node_lost": "reschedule"},
		"moves": {"image": "gameserver:1.0.0", "regions": []string{regions.US, regions.EU}},
	} {
		requireStatus(t, ap, http.StatusOK, http.MethodPost, "/v1/runtimes/"+gameID+"/start", body)
	}
	containers := ap.LiveContainers()
	require.Len(t, containers, 2)

	cluster.Network.Isolate(regions.AP)
	since := time.Now()
	requireEventually(t, "the game is started in us", func() bool {
		record := readRecord(t, eu, "moves")
		return record["region"] == regions.US && record["status"] == "running"
	})
	t.Logf("the game was started elsewhere %s after the region was cut off", time.Since(since).Round(100*time.Millisecond))
	require.Len(t, us.LiveContainers(), 1)
	require.Equal(t, regions.AP, readRecord(t, eu, "stays")["region"])
	require.ElementsMatch(t, containers, ap.LiveContainers(), "the games of the region keep running")
	requireOthersContinue(t, eu)
	requireRejections(t, ap)
	requireStatus(t, ap, http.StatusServiceUnavailable, http.MethodGet, "/readyz", nil)
	requireStatus(t, ap, http.StatusOK, http.MethodGet, "/healthz", nil)

	cluster.Network.Repair()
	since = time.Now()
	requireEventually(t, "the region has removed the container of the game that moved", func() bool { return len(ap.LiveContainers()) == 1 })
	requireEventually(t, "the region is ready", func() bool { return do(t, ap, http.MethodGet, "/readyz", nil).Status == http.StatusOK })
	t.Logf("the region had one container of each game and was ready %s after it was connected", time.Since(since).Round(100*time.Millisecond))
	require.Equal(t, regions.US, readRecord(t, ap, "moves")["region"])
	require.Equal(t, "running", readRecord(t, ap, "stays")["status"])
	require.Len(t, us.LiveContainers(), 1)
	requireEventually(t, "the region leads itself", func() bool {
		state := regionOf(readList(t, eu, ""), regions.AP)
		return state.Nodes == 1 && state.Leader != nil && state.Leader.Region == regions.AP
	})
	requireStatus(t, ap, http.StatusOK, http.MethodPost, "/v1/runtimes/stays/stop", map[string]any{})
}

// requireOthersContinue requires that a daemon of another region writes, and reports the lost
// region and its caretaker.
func requireOthersContinue(t *testing.T, eu *regions.Daemon) {
	t.Helper()
	requireStatus(t, eu, http.StatusOK, http.MethodPut, "/v1/runtimes/record", stoppedRecord("record"))
	requireEventually(t, "the list reports the lost region", func() bool {
		state := regionOf(readList(t, eu, ""), regions.AP)
		return state.Nodes == 0 && len(state.Absent) == 1 && state.GamesOnAbsentNodes == 1 && state.Leader != nil && state.Leader.Region != regions.AP
	})
	partial := do(t, eu, http.MethodGet, "/v1/drift?allow_partial=false", nil)
	require.Equal(t, http.StatusServiceUnavailable, partial.Status)
	require.Contains(t, string(partial.Body), `"code":"partial"`)
	allowed := do(t, eu, http.MethodGet, "/v1/drift", nil)
	require.Equal(t, http.StatusOK, allowed.Status)
	require.Contains(t, string(allowed.Body), "no node of region ap is present; the spec of the game names no other region")
}

// requireRejections requires that the daemon of the region that is cut off rejects what it cannot
// prove, and serves local reads with their age.
func requireRejections(t *testing.T, ap *regions.Daemon) {
	t.Helper()
	const minOutage = 15_000 // after which the daemon reports that it is cut off
	requireEventually(t, "the age of a local list grows", func() bool {
		state := regionOf(readList(t, ap, "?consistency=local"), regions.AP)
		return state.AgeMS != nil && *state.AgeMS > minOutage
	})
	require.Equal(t, regions.AP, recordIn(t, readList(t, ap, "?consistency=local"), "moves"), "its copy is from before")
	local := do(t, ap, http.MethodGet, "/v1/runtimes/moves?consistency=local", nil)
	require.Equal(t, http.StatusOK, local.Status)
	require.NotEmpty(t, local.Header.Get(api.HeaderAge))
	nodes := do(t, ap, http.MethodGet, "/v1/nodes", nil)
	require.Equal(t, http.StatusOK, nodes.Status)
	require.Contains(t, string(nodes.Body), `"stale":true`, "the nodes are as last known")
	var requests sync.WaitGroup
	for _, call := range []struct {
		method, path string
		body         any
	}{
		{http.MethodGet, "/v1/runtimes/stays", nil},
		{http.MethodGet, "/v1/runtimes", nil},
		{http.MethodPut, "/v1/runtimes/other", stoppedRecord("other")},
		{http.MethodPost, "/v1/runtimes/stays/stop", map[string]any{}},
		{http.MethodPost, "/v1/runtimes/new/start", map[string]any{"image": "gameserver:1.0.0"}},
	} {
		requests.Go(func() {
			response := do(t, ap, call.method, call.path, call.body)
			t.Logf("%s %s: %d after %s: %s", call.method, call.path, response.Status, response.Duration, response.Body)
			if response.Status != http.StatusServiceUnavailable && response.Status != http.StatusGatewayTimeout {
				t.Errorf("%s %s: %d", call.method, call.path, response.Status)
			}
			var problem api.Problem
			if err := json.Unmarshal(response.Body, &problem); err != nil {
				t.Errorf("%s %s: %v", call.method, call.path, err)
			}
			for _, want := range []string{"has not reached a majority of etcd's members for", "consistency=local"} {
				if !strings.Contains(problem.Detail, want) {
					t.Errorf("%s %s: %q does not contain %q", call.method, call.path, problem.Detail, want)
				}
			}
		})
	}
	requests.Wait()
}

// do sends a request and fails the test without a response.
func do(t *testing.T, d *regions.Daemon, method, path string, body any) regions.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), recoveryTimeout)
	defer cancel()
	response, err := d.Do(ctx, method, path, body)
	require.NoError(t, err, "%s %s", method, path)
	return response
}

func requireStatus(t *testing.T, d *regions.Daemon, status int, method, path string, body any) {
	t.Helper()
	response := do(t, d, method, path, body)
	require.Equal(t, status, response.Status, "%s %s: %s", method, path, response.Body)
}

func requireEventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, recoveryTimeout, 100*time.Millisecond, what)
}

// readRecord returns the record of a game.
func readRecord(t *testing.T, d *regions.Daemon, gameID string) map[string]any {
	t.Helper()
	response := do(t, d, http.MethodGet, "/v1/runtimes/"+gameID, nil)
	require.Equal(t, http.StatusOK, response.Status, "%s", response.Body)
	var record map[string]any
	require.NoError(t, json.Unmarshal(response.Body, &record))
	return record
}

// readList returns the records of all games.
func readList(t *testing.T, d *regions.Daemon, query string) api.Page {
	t.Helper()
	response := do(t, d, http.MethodGet, "/v1/runtimes"+query, nil)
	require.Equal(t, http.StatusOK, response.Status, "%s", response.Body)
	var page api.Page
	require.NoError(t, json.Unmarshal(response.Body, &page))
	return page
}

// regionOf returns the state of a region in a list, without members if the list has none.
func regionOf(page api.Page, name string) api.Region {
	for _, region := range page.Regions {
		if region.Region == name {
			return region
		}
	}
	return api.Region{}
}

// recordIn returns the region of a game in a list.
func recordIn(t *testing.T, page api.Page, gameID string) (region string) {
	t.Helper()
	for _, record := range page.Items {
		if record.GameID == gameID {
			return record.Region
		}
	}
	require.Fail(t, "the list has no game "+gameID)
	return ""
}
