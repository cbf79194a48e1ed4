package regions_test

import (
	"net/http"
	"time"

	"galaxy/rtmanager/internal/testkit/regions"
)

// apiCall is a call of the API whose time is measured in round trips.
type apiCall struct {
	name         string
	method, path string
	// body returns the body of the call with this number; nil means no body.
	body   func(index int) any
	keyed  bool // whether the call has an Idempotency-Key
	status int
	least  time.Duration // that the call takes
	// bound is how many times least the fastest call may take, rounded down, if isBounded.
	bound     int
	isBounded bool
}

// leastRequest returns the least time of one request to etcd that a majority confirms:
// the round trip from the region to the leader in EU, and that of the leader to the nearest
// other member.
func leastRequest(region string) time.Duration {
	return roundTrip(region, regions.EU) + regions.Far.EUToUS
}

// leastReport returns the least time of a request to the nodes of all regions. Each of them
// reads from etcd once.
func leastReport(region string) time.Duration {
	var least time.Duration
	for _, other := range regions.Names() {
		least = max(least, roundTrip(region, other)+leastRequest(other))
	}
	return least
}

func roundTrip(from, to string) time.Duration {
	switch {
	case from == to:
		return 0
	case from != regions.AP && to != regions.AP:
		return regions.Far.EUToUS
	case from != regions.US && to != regions.US:
		return regions.Far.EUToAP
	default:
		return regions.Far.USToAP
	}
}

// requestCalls lists the calls that only read or write records.
func requestCalls(region string) []apiCall {
	id := "record-" + region
	get := func(name, path string, bound int) apiCall {
		return apiCall{name: name, method: http.MethodGet, path: path, status: http.StatusOK, least: leastRequest(region), isBounded: true, bound: bound}
	}
	unknown := get("get of an unknown game", "/v1/runtimes/unknown", 1)
	unknown.status = http.StatusNotFound
	report := get("drift", "/v1/drift?allow_partial=true", 2)
	report.least = leastReport(region)
	put := get("put", "/v1/runtimes/"+id, 1)
	put.method, put.body = http.MethodPut, func(int) any { return stoppedRecord(id) }
	update := get("status update", "/v1/runtimes/"+id+"/status", 1)
	update.method, update.body = http.MethodPost, flipStatus
	keyed := update
	keyed.name, keyed.keyed = "status update with Idempotency-Key", true
	return []apiCall{
		put, update, keyed,
		get("get", "/v1/runtimes/"+id, 1),
		get("get, local", "/v1/runtimes/"+id+"?consistency=local", 0),
		unknown,
		get("list", "/v1/runtimes", 1),
		get("list, local", "/v1/runtimes?consistency=local", 0),
		get("history", "/v1/runtimes/"+id+"/history", 1),
		get("explain", "/v1/runtimes/"+id+"/explain", 2),
		get("nodes", "/v1/nodes", 2),
		get("cluster", "/v1/cluster", 2),
		report,
	}
}

// operationCalls lists operations on a game in the order in which they are possible.
func operationCalls(region string) []apiCall {
	call := func(verb string, body any) apiCall {
		return apiCall{
			name: verb, method: http.MethodPost, path: "/v1/runtimes/game-" + region + "/" + verb,
			body: func(int) any { return body }, status: http.StatusOK, least: leastRequest(region),
		}
	}
	return []apiCall{
		call("start", map[string]any{"image": "gameserver:1.0.0"}),
		call("restart", map[string]any{}),
		call("stop", map[string]any{}),
	}
}

// stoppedRecord returns a stopped record that no daemon manages.
func stoppedRecord(id string) map[string]any {
	const noon = "2026-01-01T12:00:00Z"
	return map[string]any{
		"game_id": id, "status": "stopped", "region": "none", "node": "none", "current_container_id": "c",
		"current_image_ref": "gameserver:1.0.0", "engine_endpoint": "", "state_path": "", "docker_network": "", "generation": 1,
		"created_at": noon, "last_op_at": noon, "started_at": noon, "stopped_at": noon, "removed_at": nil,
	}
}

// flipStatus returns the status change of a record that was stopped before the first one.
func flipStatus(index int) any {
	from, to := "stopped", "running"
	if index%2 == 1 {
		from, to = to, from
	}
	return map[string]any{"expected_from": from, "to": to}
}
