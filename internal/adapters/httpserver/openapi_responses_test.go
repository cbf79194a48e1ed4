package httpserver_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/envelope"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// The successful responses of every operation, and the conflicts, are as documented.
func TestOpenAPIDescribesEveryResponse(t *testing.T) {
	t.Parallel()
	m := &fakeNode{report: drift.Report{Findings: []drift.Finding{finding("a", "n1")}}}
	m.apply = newApplyFunc(new([]drift.Finding))
	members, learner := newMembers(t)
	f := start(t, servertest.Config{Config: httpserver.Config{
		Maintenance: newMaintenance(), Rollouts: newRollouts(t),

		Members: members, MaxStreams: 1, Region: "eu", Node: "n1", AccessAdmin: newAccess(t), Games: fakeGames{}, Intents: fakeIntents{}, Secrets: newSecrets(t, newKeys{envelope.GenerateKey(time.Now())}),
	}, Local: m, Nodes: new(fakeRegistry)})
	c := contractOf(t, f)
	documented := c.operations()
	rolloutPath := "/v1/rollouts/" + rollout.NewID("key")
	responded := map[string]bool{}
	for _, step := range []struct {
		method, path, headers, body string
		status                      int
	}{
		{"GET", "/v1/runtimes", "", "", 200},
		{"PUT", "/v1/runtimes/g", "", runningRecord, 200},
		{"PUT", "/v1/runtimes/a%2Fb", "If-None-Match: *\r\n", runningRecord, 200},
		{"PUT", "/v1/runtimes/g", "If-None-Match: *\r\n", runningRecord, 412},
		{"PUT", "/v1/runtimes/none", "If-Match: *\r\n", runningRecord, 412},
		{"GET", "/v1/runtimes/g", "", "", 200},
		{"GET", "/v1/runtimes/g", "If-None-Match: \"2\"\r\n", "", 304},
		{"GET", "/v1/runtimes/none", "", "", 404},
		{"GET", "/v1/runtimes?limit=1", "", "", 200},
		{"POST", "/v1/runtimes/g/status", "Rtmanager-Actor: ops\r\n", stopChange, 200},
		{"POST", "/v1/runtimes/g/status", "", stopChange, 409},
		{"POST", "/v1/runtimes/g/status", "", `{"expected_from":"stopped","to":"removed"}`, 200},
		{"GET", "/v1/runtimes/g", "", "", 200},
		{"GET", "/v1/runtimes/g/history", "", "", 200},
		{"GET", "/v1/runtimes?status=removed&region=eu", "", "", 200},
		{"POST", "/v1/runtimes/a%2Fb/labels", "", `{"set":{"env":"prod"},"remove":["mode"]}`, 200},
		{"POST", "/v1/runtimes/a%2Fb/labels", "", `{"set":{"-env":"prod"}}`, 422},
		{"POST", "/v1/runtimes/a%2Fb/metadata", "", `{"merge":{"a":{"b":[1,null]}}}`, 422},
		{"POST", "/v1/runtimes/a%2Fb/metadata", "", `{"merge":{"a":{"b":[1,"2"]},"c":null}}`, 200},
		{"POST", "/v1/runtimes/none/metadata", "", `{"replace":{}}`, 404},
		{"POST", "/v1/runtimes/none/labels", "", `{"remove":["env"]}`, 404},
		{"GET", "/v1/runtimes?status=removed&status=running&label_selector=env", "", "", 200},
		{"DELETE", "/v1/runtimes/none", "", "", 404},
		{"DELETE", "/v1/runtimes/a%2Fb", "", "", 409},
		{"DELETE", "/v1/runtimes/g", "If-Match: \"1\"\r\n", "", 412},
		{"DELETE", "/v1/runtimes/g", "Idempotency-Key: k\r\nRtmanager-Reason: over\r\n", "", 204},
		{"DELETE", "/v1/runtimes/g", "Idempotency-Key: k\r\n", "", 204},
		{"GET", "/v1/cluster", "", "", 200},
		{"GET", "/v1/stores", "", "", 200},
		{"GET", "/v1/runtimes?stores=all", "", "", 200},
		{"GET", "/v1/cluster/members", "", "", 200},
		{"DELETE", "/v1/cluster/members/etcdtest", "", "", 409},
		{"DELETE", "/v1/cluster/members/none", "", "", 404},
		{"DELETE", "/v1/cluster/members/" + learner, "", "", 200},
		{"GET", "/v1/fsck", "", "", 200},
		{"POST", "/v1/fsck/repair", "", "", 200},
		{"POST", "/v1/runtimes/new/start", "", `{"image":"game:1.2.3"}`, 200},
		{"POST", "/v1/runtimes/a%2Fb/stop", ndjson, "", 200},
		{"POST", "/v1/runtimes/a%2Fb/restart", sse, "{}", 200},
		{"POST", "/v1/runtimes/a%2Fb/patch", "", `{"image":"game:1.2.4"}`, 200},
		{"POST", "/v1/runtimes/a%2Fb/cleanup?wait=accepted", "", "", 200},
		{"POST", "/v1/runtimes/a%2Fb/move", "", `{"node":"n2"}`, 200},
		{"GET", "/v1/runtimes/a%2Fb/explain", "", "", 200},
		{"GET", "/v1/runtimes/a%2Fb/logs?tail=1", "", "", 200},
		{"GET", "/v1/runtimes/a%2Fb/stats", "", "", 200},
		{"GET", "/v1/runtimes/none/logs", "", "", 404},
		{"GET", "/v1/operations?in_progress=true&region=eu&node=n1", "", "", 200},
		{"GET", "/v1/operations?in_progress=false", "", "", 400},
		{"GET", "/v1/operations?node=n1", "", "", 400},
		{"GET", "/v1/operations/current", "", "", 200},
		{"GET", "/v1/operations/finished", "", "", 200},
		{"GET", "/v1/operations/none", "", "", 404},
		{"GET", "/v1/operations/finished?game_id=busy", "", "", 200},
		{"DELETE", "/v1/operations/current", "Rtmanager-Reason: over\r\n", "", 202},
		{"GET", "/v1/runtimes/busy/operations", "", "", 200},
		{"GET", "/v1/runtimes/busy/operations/finished", "", "", 200},
		{"GET", "/v1/runtimes/busy/operations/none", "", "", 404},
		{"DELETE", "/v1/runtimes/busy/operations/current", "", "", 202},
		{"POST", "/v1/specs", "", `{"game_ids":["a/b","none"]}`, 200},
		{"POST", "/v1/specs", "", `{"game_ids":[]}`, 422},
		{"POST", "/v1/runtimes/a%2Fb/offer", "", `{"image":"game:1.2.3"}`, 200},
		{"GET", "/v1/rollouts", "", "", 200},
		{"POST", "/v1/rollouts?dry_run=true", "", `{"image":"game:1.0.1","all":true}`, 200},
		{"POST", "/v1/rollouts", "Idempotency-Key: key\r\n", `{"image":"game:1.0.1","all":true,"max_parallel":2,"pause_on_failure":true}`, 201},
		{"POST", "/v1/rollouts", "", `{"image":"game:1.0.1","all":true}`, 409},
		{"GET", rolloutPath, "", "", 200},
		{"GET", rolloutPath, "If-None-Match: *\r\n", "", 304},
		{"GET", "/v1/rollouts/none", "", "", 404},
		{"DELETE", rolloutPath, "", "", 409},
		{"POST", rolloutPath + "/pause", "Rtmanager-Reason: lag\r\n", "", 200},
		{"POST", rolloutPath + "/resume", "", `{"skip_failed":true}`, 200},
		{"POST", rolloutPath + "/undo", "", "", 200},
		{"POST", rolloutPath + "/pause", "", "", 200},
		{"POST", rolloutPath + "/undo", "", "", 409},
		{"DELETE", rolloutPath, "", "", 204},
		{"GET", "/v1/nodes", "", "", 200},
		{"DELETE", "/v1/nodes?region=eu&node=gone", "", "", 200},
		{"POST", "/v1/nodes/eu/n1/cordon", "Rtmanager-Reason: disk\r\n", "", 200},
		{"POST", "/v1/nodes/eu/n1/drain", "", `{"deadline":"1m"}`, 200},
		{"POST", "/v1/nodes/eu/n1/drain?dry_run=true", "", "", 200},
		{"POST", "/v1/nodes/eu/n1/uncordon", "", "", 200},
		{"POST", "/v1/nodes/eu/n1/pause", "", "", 200},
		{"POST", "/v1/nodes/eu/n1/resume", "", "", 200},
		{"POST", "/v1/nodes/eu/none/resume", "", "", 404},
		{"POST", "/v1/regions/eu/pause", "", "", 200},
		{"POST", "/v1/regions/eu/resume", "", "", 200},
		{"GET", "/v1/drift", "", "", 200},
		{"POST", "/v1/drift/apply", "", encodeJSON(t, api.DriftApply{Findings: m.report.Findings}), 200},
		{"POST", "/v1/drift/release", "", "", 200},
		{"GET", "/v1/auth", "", "", 200},
		{"GET", "/v1/whoami", "", "", 200},
		{"GET", "/v1/can-i?verb=stop&game_id=g", "", "", 200},
		{"POST", "/v1/tokens", "", `{"name":"ci","grants":[{"role":"operator","regions":["eu"],"games":["chess-*"]}],"expires_in":"1h"}`, 200},
		{"POST", "/v1/tokens", "", `{"name":"ci"}`, 409},
		{"GET", "/v1/tokens", "", "", 200},
		{"DELETE", "/v1/tokens/ci", "", "", 204},
		{"DELETE", "/v1/tokens/ci", "", "", 404},
		{"POST", "/v1/roles/grant", "", `{"subject":"user:ada","grant":"operator@eu:chess-*"}`, 200},
		{"GET", "/v1/roles", "", "", 200},
		{"POST", "/v1/roles/revoke", "", `{"subject":"user:ada"}`, 200},
		{"POST", "/v1/roles/revoke", "", `{"subject":"user:ada"}`, 404},
		{"PUT", "/v1/secrets/db", "Rtmanager-Actor: ops\r\n", `{"values":{"A":"1"}}`, 200},
		{"GET", "/v1/secrets", "", "", 200},
		{"GET", "/v1/secrets/db?reveal=true", "", "", 200},
		{"POST", "/v1/secrets/rotate", "", "", 200},
		{"DELETE", "/v1/secrets/db?force=true", "", "", 204},
		{"GET", "/v1/secrets/db", "", "", 404},
		{"GET", "/healthz", "", "", 200},
		{"GET", "/readyz", "", "", 200},
		{"GET", "/metrics", "", "", 200},
		{"GET", "/v1/watch?from_revision=99", "", "", 400},
		{"GET", "/v1/runtimes/g/exec?command=ls", "", "", 426},
	} {
		got := f.send(step.method, step.path, step.headers, step.body)
		require.Equal(t, step.status, got.StatusCode, "%s %s: %s", step.method, step.path, got.body)
		c.requireDocumented(t, step.method, step.path, got)
		if step.status == 200 || step.status == 202 || step.status == 204 {
			responded[step.method+" "+c.pathOf(step.path)] = true
		}
	}
	responded["GET /v1/watch"] = true                   // by TestOpenAPIDescribesEveryEvent
	responded["GET /v1/events"] = true                  // by TestOpenAPIDescribesGameEvents
	responded["GET /v1/runtimes/{game_id}/exec"] = true // by TestExecCarriesTheStreams
	for _, operation := range documented {
		require.True(t, responded[operation], "this test has no successful response of %s", operation)
	}
}

// A body that the server accepts matches the schema. A body with an invalid form does not.
func TestOpenAPIDescribesTheBodies(t *testing.T) {
	t.Parallel()
	c := contractOf(t, start(t, httpserver.Config{}))
	schemaOf := func(method, path string) []string {
		return []string{"paths", path, method, "requestBody", "content", "application/json", "schema"}
	}
	put, post := schemaOf("put", "/v1/runtimes/{game_id}"), schemaOf("post", "/v1/runtimes/{game_id}/status")
	c.requireValid(t, runningRecord, put...)
	c.requireValid(t, withMember(runningRecord, "stopped_at", "null"), put...)
	c.requireValid(t, stopChange, post...)
	c.requireValid(t, `{"expected_from":"running","to":"stopped"}`, post...)

	begin, patch := schemaOf("post", "/v1/runtimes/{game_id}/start"), schemaOf("post", "/v1/runtimes/{game_id}/patch")
	halt, apply := schemaOf("post", "/v1/runtimes/{game_id}/stop"), schemaOf("post", "/v1/drift/apply")
	c.requireValid(t, "{}", begin...)
	c.requireValid(t, `{"image":"a:1","region":"eu","crash":{"attempts":1,"window":"1m"},"env":{"A":"1"},"args":["x"]}`, begin...)
	c.requireValid(t, `{"image":"a:1","force":true}`, patch...)
	c.requireValid(t, "{}", halt...)
	c.requireValid(t, encodeJSON(t, api.DriftApply{Findings: []drift.Finding{finding("a", "n1")}}), apply...)

	c.requireRejected(t, `{"image":"a:1","extra":1}`, begin...)
	c.requireRejected(t, `{"crash":{"Attempts":1}}`, begin...)
	c.requireRejected(t, `{"env":{"A":1}}`, begin...)
	c.requireRejected(t, `{"health_timeout":30}`, begin...)
	c.requireValid(t, `{"spec":{"image":"a:1","crash":{"attempts":1}}}`, patch...)
	c.requireRejected(t, `{"spec":{"image":1}}`, patch...)
	c.requireRejected(t, `{"spec":{"extra":1}}`, patch...)
	c.requireRejected(t, `{"force":true}`, halt...)
	c.requireRejected(t, `{"findings":[]}`, apply...)
	c.requireRejected(t, `{"findings":[{"id":"a"}]}`, apply...)
	c.requireRejected(t, `{"status":"paused"}`, put...)
	c.requireRejected(t, withMember(runningRecord, "extra", "1"), put...)
	c.requireRejected(t, withMember(runningRecord, "generation", `"1"`), put...)
	c.requireRejected(t, "[]", put...)
	c.requireRejected(t, `{"to":"stopped"}`, post...)
	c.requireRejected(t, withMember(stopChange, "now", `"soon"`), post...)
	c.requireRejected(t, strings.Replace(stopChange, "running", "paused", 1), post...)
}

// requireRejected fails if the JSON text matches the schema.
func (c *contract) requireRejected(t testing.TB, text string, place ...string) {
	t.Helper()
	require.Error(t, c.validationError(t, text, place...), "the schema of %v accepts %s", place, text)
}
