package httpserver_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// labeled writes a game of eu/n1 with the label team.
func (s *securedFixture) labeled(gameID, team string) {
	s.t.Helper()
	record := recordOn(gameID, "eu", "n1")
	if team != "" {
		record.Labels = map[string]string{"team": team, "env": "prod"}
	}
	require.NoError(s.t, s.store.Upsert(s.t.Context(), record))
}

// A caller whose role is for games with a label cannot act on others, by no route, and cannot take a
// game into its scope or out of that of others.
func TestRolesForLabels(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	s.labeled("own", "a")
	s.labeled("other", "b")
	s.labeled("none", "")
	for gameID, team := range map[string]string{"new-own": "a", "new-other": "b"} { // in their first start
		_, err := s.store.PutIntent(t.Context(), operation.Intent{
			GameID: gameID, Labels: map[string]string{"team": team},
			Current: &operation.Operation{ID: "op-" + gameID, Kind: operation.KindStart, Region: "eu", Node: "n1"},
			Recent:  []operation.Outcome{{OperationID: "old-" + gameID, Kind: operation.KindStart}}, // of an earlier version: without a region
		}, ports.IntentVersion{})
		require.NoError(t, err)
	}
	otherFinding := finding("x", "n1")
	otherFinding.GameID, otherFinding.Region = "other", "eu"
	ownFinding := otherFinding
	ownFinding.GameID, ownFinding.ID = "own", "y"
	s.node.report = drift.Report{Findings: []drift.Finding{otherFinding, ownFinding}}
	headers := s.token("ci", "operator/team=a@eu")
	record := func(team string) string {
		return strings.Replace(runningRecord, `{`, `{"labels":{"team":"`+team+`"},`, 1)
	}
	const stop, start = "/stop", "/start"
	for _, row := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/v1/runtimes/own", "", 200},
		{"GET", "/v1/runtimes/other", "", 403},
		{"GET", "/v1/runtimes/other?consistency=local", "", 403},
		{"GET", "/v1/runtimes/none", "", 403},
		{"GET", "/v1/runtimes/absent", "", 404},
		{"GET", "/v1/runtimes/own/history", "", 200},
		{"GET", "/v1/runtimes/other/history", "", 403},
		{"GET", "/v1/runtimes/other/explain", "", 403},
		{"GET", "/v1/runtimes/other/logs", "", 403},
		{"GET", "/v1/runtimes/other/stats", "", 403},
		{"GET", "/v1/runtimes/other/operations", "", 403},
		{"GET", "/v1/operations/op-new-own", "", 200},
		{"GET", "/v1/operations/op-new-other", "", 404},
		{"GET", "/v1/operations/op-new-other?game_id=new-other", "", 403},
		{"GET", "/v1/operations/old-new-own", "", 200},
		{"GET", "/v1/operations/old-new-other", "", 404},
		{"GET", "/v1/operations/old-new-other?game_id=new-other", "", 403},
		{"DELETE", "/v1/operations/op-new-other", "", 404},
		{"DELETE", "/v1/runtimes/new-other/operations/op-new-other", "", 403},
		{"POST", "/v1/runtimes/own/stop", "", 200},
		{"POST", "/v1/runtimes/other" + stop, "", 403},
		{"POST", "/v1/runtimes/none" + stop, "", 403},
		{"POST", "/v1/runtimes/new-other" + stop, "", 403},
		{"POST", "/v1/runtimes/other/patch", `{"image":"game:1.2.4"}`, 403},
		{"POST", "/v1/runtimes/other/move", `{"node":"n1"}`, 403},
		{"POST", "/v1/runtimes/other/cleanup", "", 403},
		{"POST", "/v1/runtimes/other/offer", `{"image":"game:1.2.3"}`, 403},
		{"DELETE", "/v1/runtimes/other?force=true", "", 403},
		{"POST", "/v1/runtimes/other/status", stopChange, 403},

		{"POST", "/v1/runtimes/g1" + start, `{"image":"game:1.2.3"}`, 403},
		{"POST", "/v1/runtimes/g1" + start, `{"image":"game:1.2.3","labels":{"team":"b"}}`, 403},
		{"POST", "/v1/runtimes/g1" + start, `{"image":"game:1.2.3","labels":{"team":"a"}}`, 200},
		{"POST", "/v1/runtimes/g1" + start, `{"image":"game:1.2.3","labels":{"team":"a"},"region":"us"}`, 403},
		{"POST", "/v1/runtimes/own" + start, `{"image":"game:1.2.3","labels":{"team":"b"}}`, 403},
		{"POST", "/v1/runtimes/own" + start, `{"image":"game:1.2.3","labels":{}}`, 403},
		{"POST", "/v1/runtimes/other" + start, `{"image":"game:1.2.3","labels":{"team":"a"}}`, 403},
		{"POST", "/v1/runtimes/g2" + start + "?dry_run=true", `{"image":"game:1.2.3","labels":{"team":"b"}}`, 403},

		{"PUT", "/v1/runtimes/p1", record("a"), 200},
		{"PUT", "/v1/runtimes/p2", record("b"), 403},
		{"PUT", "/v1/runtimes/p2", runningRecord, 403},
		{"PUT", "/v1/runtimes/p1", record("b"), 403},
		{"PUT", "/v1/runtimes/other", record("a"), 403},

		{"POST", "/v1/runtimes/p1/labels", `{"set":{"env":"test"}}`, 200},
		{"POST", "/v1/runtimes/p1/labels", `{"set":{"team":"b"}}`, 403},
		{"POST", "/v1/runtimes/p1/labels", `{"remove":["team"]}`, 403},
		{"POST", "/v1/runtimes/other/labels", `{"set":{"team":"a"}}`, 403},
		{"POST", "/v1/runtimes/none/labels", `{"set":{"team":"a"}}`, 403},

		{"POST", "/v1/drift/apply", encodeJSON(t, api.DriftApply{Findings: []drift.Finding{otherFinding}}), 403},
		{"POST", "/v1/drift/release", "", 403},
		{"GET", "/v1/fsck", "", 403},
		{"POST", "/v1/nodes/eu/n1/cordon", `{}`, 403},
	} {
		got := s.send(row.method, row.path, headers, row.body)
		require.Equal(t, row.status, got.StatusCode, "%s %s %s: %s", row.method, row.path, row.body, got.body)
	}
	require.Equal(t, 2, s.node.count(), "own and g1")

	refused := s.send("POST", "/v1/runtimes/other/stop", headers, "")
	require.Contains(t, tryProblem(refused.body).Detail, "granted for games with the labels team=a")
	list := decodeAs[api.Page](t, s.send("GET", "/v1/runtimes", headers, "").body)
	require.Len(t, list.Items, 2, "own and p1")
	selected := decodeAs[api.Page](t, s.send("GET", "/v1/runtimes?label_selector=team%21%3Da", headers, "").body)
	require.Empty(t, selected.Items)
	operations := decodeAs[api.OperationList](t, s.send("GET", "/v1/operations", headers, "").body)
	require.Len(t, operations.Items, 1)
	require.Equal(t, "new-own", operations.Items[0].GameID)
	specs := decodeAs[api.Specs](t, s.send("POST", "/v1/specs", headers, `{"game_ids":["own","other","none","new-own","new-other"]}`).body)
	require.NotNil(t, specs.Items[0].Record)
	require.Equal(t, []api.GameSpec{{GameID: "other"}, {GameID: "none"}}, specs.Items[1:3], "games that the caller may not read")
	require.Equal(t, api.GameSpec{GameID: "new-other"}, specs.Items[4])
	findings := decodeAs[drift.Report](t, s.send("GET", "/v1/drift?allow_partial=true", headers, "").body).Findings
	require.NotEmpty(t, findings)
	for _, f := range findings {
		require.Contains(t, []string{"own", "p1"}, f.GameID)
	}
}

// A watch shows a game while it has the labels. A game that loses them is deleted for the caller.
func TestWatchesShowGamesWithTheLabels(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	s.labeled("own", "a")
	s.labeled("other", "b")
	stream := s.watch("", s.token("ci", "reader/team=a")+ndjson)
	stream.expect("snapshot own 3", "synced 3")
	s.labeled("other", "c")
	s.labeled("other", "a")
	s.labeled("own", "b")
	got := stream.expectChanges("upserted other 5", "deleted own 6")
	require.Nil(t, got[0].Before)
	require.Nil(t, got[1].After)
	require.NotContains(t, got[1].raw, `"b"`)
}

func TestCanIWithLabels(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	s.labeled("own", "a")
	s.labeled("other", "b")
	headers := s.token("ci", "operator/team=a@eu", "reader")
	for query, isAllowed := range map[string]bool{
		"verb=stop": true, "verb=stop&region=eu": true, "verb=stop&region=us": false, "verb=read&game_id=other": true,
		"verb=stop&game_id=own": true, "verb=stop&game_id=other": false, "verb=stop&game_id=own&region=eu": true, "verb=stop&game_id=other&region=eu": false,
		"verb=start&game_id=new": false, "verb=start&game_id=new&labels=team%3Da": true, "verb=start&game_id=new&labels=team%3Db": false,
		"verb=start&game_id=new&labels=team%3Da,env%3Dprod&region=eu": true, "verb=start&game_id=new&labels=team%3Da&region=us": false,
	} {
		got := s.send("GET", "/v1/can-i?"+query, headers, "")
		require.Equal(t, 200, got.StatusCode, "%s: %s", query, got.body)
		decision := decodeAs[api.Decision](t, got.body)
		require.Equal(t, isAllowed, decision.Allowed, "%s: %s", query, got.body)
		if !isAllowed {
			require.Contains(t, decision.Reason, "granted for games with the labels team=a", query)
		}
	}
	require.Equal(t, 400, s.send("GET", "/v1/can-i?verb=start&game_id=new&labels=team", headers, "").StatusCode)
}

// Two roles for labels are a union, and one role needs all of its labels.
func TestSeveralRolesForLabels(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	for gameID, labels := range map[string]map[string]string{
		"a-prod": {"team": "a", "env": "prod"}, "a-test": {"team": "a", "env": "test"}, "b-prod": {"team": "b", "env": "prod"}, "c": {"team": "c"},
	} {
		record := recordOn(gameID, "eu", "n1")
		record.Labels = labels
		require.NoError(t, s.store.Upsert(t.Context(), record))
	}
	headers := s.token("ci", "operator/team=a,env=prod", "reader/team=b")
	for gameID, statuses := range map[string][2]int{"a-prod": {200, 200}, "a-test": {403, 403}, "b-prod": {200, 403}, "c": {403, 403}} {
		require.Equal(t, statuses[0], s.send("GET", "/v1/runtimes/"+gameID, headers, "").StatusCode, gameID)
		require.Equal(t, statuses[1], s.send("POST", "/v1/runtimes/"+gameID+"/stop", headers, "").StatusCode, gameID)
	}
	require.Equal(t, runtime.StatusRunning, decodeAs[api.Page](t, s.send("GET", "/v1/runtimes", headers, "").body).Items[0].Status)
}
