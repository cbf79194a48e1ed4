package httpserver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/testkit/servertest"
)

func finding(id, node string) drift.Finding {
	return drift.Finding{
		ID: id, Kind: drift.KindExited, GameID: "g-" + id, Region: "eu", Node: node, Action: drift.ActionMarkStopped,
		Evidence: "exited with 1", FirstSeen: noon, Observations: 2, RecordRevision: 5, IntentRevision: 3, ContainerID: "c",
	}
}

// newApplyFunc returns a function that applies every finding but one, which is blocked.
func newApplyFunc(seen *[]drift.Finding) func([]drift.Finding) ([]drift.ApplyResult, error) {
	return func(findings []drift.Finding) ([]drift.ApplyResult, error) {
		*seen = append(*seen, findings...)
		var results []drift.ApplyResult
		for _, f := range findings {
			result := drift.ApplyResult{ID: f.ID, GameID: f.GameID, Region: f.Region, Node: f.Node, Action: f.Action, Status: drift.ApplyDone}
			if f.ID == "held" {
				result.Status, result.Reason = drift.ApplyBlocked, "the brake is on"
			}
			results = append(results, result)
		}
		return results, nil
	}
}

// The drift report has the findings of every node, and lists nodes that do not respond
// and absent nodes that records name.
func TestDriftOfAllNodes(t *testing.T) {
	t.Parallel()
	c := startCluster(t, func(cfg *servertest.Config) { cfg.PeerTimeout = 2 * time.Second })
	c.first.report = drift.Report{Findings: []drift.Finding{finding("z", "n1"), finding("a", "n1")}}
	c.second.report = drift.Report{Findings: []drift.Finding{finding("b", "n2")}, Brakes: []drift.Brake{{Region: "eu", Node: "n2", Since: noon, Reason: "too many"}}}
	hanging, _ := startRecorder(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c.register.join("ap", "hangs", hanging)
	c.register.join("ap", "dead", "http://127.0.0.1:1")
	foreign, _ := startRecorder(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	c.register.join("ap", "odd", foreign)

	got := c.one.send("GET", "/v1/drift?allow_partial=true", "", "")
	require.Equal(t, 200, got.StatusCode, got.body)
	contractOf(t, c.one).requireDocumented(t, "GET", "/v1/drift", got)
	report := decodeAs[drift.Report](t, got.body)
	require.Equal(t, []drift.Finding{finding("a", "n1"), finding("z", "n1"), finding("b", "n2")}, report.Findings[:3])
	require.Equal(t, drift.KindNodeLost, report.Findings[3].Kind)
	require.Equal(t, c.second.report.Brakes, report.Brakes)
	require.Len(t, report.Missing, 4, got.body)
	for i, want := range [][]string{
		{"ap", "dead", "does not respond at http://127.0.0.1:1"}, {"ap", "hangs", "did not respond in time"},
		{"ap", "odd", "not a response of this API"}, {"us", "gone", "a record names it"},
	} {
		require.Equal(t, want[:2], []string{report.Missing[i].Region, report.Missing[i].Node})
		require.Contains(t, report.Missing[i].Reason, want[2])
	}
	strict := c.one.send("GET", "/v1/drift?allow_partial=false", "", "")
	require.Equal(t, 503, strict.StatusCode, strict.body)
	contractOf(t, c.one).requireDocumented(t, "GET", "/v1/drift", strict)
	problem := strict.problem(t)
	require.Equal(t, api.CodePartial, problem.Code)
	require.Len(t, problem.Missing, 4)
	require.Equal(t, "ap/dead", problem.Missing[0].Region+"/"+problem.Missing[0].Node)
	require.Contains(t, problem.Detail, "ap/hangs did not respond in time")
	local := decodeAs[drift.Report](t, c.one.send("GET", "/v1/drift?scope=node", "", "").body)
	require.Equal(t, c.first.report.Findings, local.Findings)
	require.Empty(t, local.Missing)
}

// A response that is not a report does not count as an empty report.
func TestDriftResponseThatIsNotAReport(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`null`, `{}`, `{"findings":null,"brakes":null,"missing":null}`, `{"findings":[],"brakes":[]}`} {
		c := startCluster(t, nil)
		odd, _ := startRecorder(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		})
		c.register.join("ap", "odd", odd)
		report := decodeAs[drift.Report](t, c.one.send("GET", "/v1/drift?allow_partial=true", "", "").body)
		require.Len(t, report.Missing, 2, body)
		require.Equal(t, "ap/odd", report.Missing[0].Region+"/"+report.Missing[0].Node)
		require.Contains(t, report.Missing[0].Reason, "its response is not a report", body)
	}
}

// A node whose engine does not respond is listed as missing.
func TestDriftOfANodeWithABrokenEngine(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	fails := func(context.Context) error { return container.ErrEngineUnavailable }
	c.first.drift, c.second.drift = fails, fails
	report := decodeAs[drift.Report](t, c.one.send("GET", "/v1/drift?allow_partial=true", "", "").body)
	require.Len(t, report.Missing, 3)
	for _, m := range report.Missing[:2] {
		require.Equal(t, "engine is unavailable", m.Reason)
	}
	got := c.one.send("GET", "/v1/drift?scope=node", "", "")
	require.Equal(t, api.CodeEngineUnavailable, got.problem(t).Code)
}

// Each finding is applied by its node if the node still reports it. The action is never
// taken from the request.
func TestApplyDrift(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	var first, second []drift.Finding
	c.first.apply, c.second.apply = newApplyFunc(&first), newApplyFunc(&second)
	changedFinding, other := finding("moved", "n1"), finding("other", "n2")
	changedFinding.RecordRevision++
	other.Action = drift.ActionRemoveContainer
	c.first.report.Findings = []drift.Finding{finding("a", "n1"), finding("held", "n1"), changedFinding}
	c.second.report.Findings = []drift.Finding{finding("b", "n2"), other}

	forged := finding("a", "n1")
	forged.ContainerID, forged.Action = "other", ""
	requested := []drift.Finding{finding("b", "n2"), forged, finding("held", "n1"), finding("moved", "n1"), finding("vanished", "n2"), finding("other", "n2"), finding("x", "n9")}
	got := c.one.send("POST", "/v1/drift/apply", "Rtmanager-Actor: UTF-8''ad%C3%A4\r\n", encodeJSON(t, api.DriftApply{Findings: requested}))
	require.Equal(t, 200, got.StatusCode, got.body)
	contractOf(t, c.one).requireDocumented(t, "POST", "/v1/drift/apply", got)
	results := decodeAs[api.DriftApplied](t, got.body).Results
	require.Len(t, results, len(requested))
	for i, want := range []struct {
		status drift.ApplyStatus
		reason string
	}{
		{drift.ApplyDone, ""}, {drift.ApplyDone, ""}, {drift.ApplyBlocked, "the brake is on"}, {drift.ApplyStale, "the record is at revision 6 now, not at 5"},
		{drift.ApplyStale, "the node no longer finds it"}, {drift.ApplyStale, "proposes remove_container now, not mark_stopped"},
		{drift.ApplyFailed, "eu/n9 is not among the present nodes"},
	} {
		require.Equal(t, requested[i].ID, results[i].ID)
		require.Equal(t, want.status, results[i].Status, "%s: %s", results[i].ID, results[i].Reason)
		require.Contains(t, results[i].Reason, want.reason)
	}
	require.Equal(t, []drift.Finding{finding("a", "n1"), finding("held", "n1")}, first, "the node applies its own findings")
	require.Equal(t, []drift.Finding{finding("b", "n2")}, second)
	require.Equal(t, []string{"adä"}, c.first.applyActors)
	require.Equal(t, []string{"adä"}, c.second.applyActors, "the actor is forwarded")

	short := c.two.send("POST", "/v1/drift/apply", "", `{"findings":[{"id":"b","region":"eu","node":"n2","record_revision":5,"intent_revision":3}]}`)
	require.Equal(t, drift.ApplyDone, decodeAs[api.DriftApplied](t, short.body).Results[0].Status, "an id and its revisions are enough: %s", short.body)
	passedOn := c.one.send("POST", "/v1/drift/apply", "Rtmanager-Forwarded: x\r\n", encodeJSON(t, api.DriftApply{Findings: requested[:1]}))
	require.Equal(t, drift.ApplyFailed, decodeAs[api.DriftApplied](t, passedOn.body).Results[0].Status, "a request is forwarded once")
}

// The result of a finding whose node fails is unknown.
func TestApplyDriftThatFails(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	c.first.report.Findings = []drift.Finding{finding("a", "n1")}
	c.first.apply = func([]drift.Finding) ([]drift.ApplyResult, error) { return nil, container.ErrEngineUnavailable }
	broken, _ := startRecorder(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	c.register.join("eu", "broken", broken)
	body := encodeJSON(t, api.DriftApply{Findings: []drift.Finding{finding("a", "n1"), finding("b", "broken")}})
	results := decodeAs[api.DriftApplied](t, c.one.send("POST", "/v1/drift/apply", "", body).body).Results
	require.Equal(t, drift.ApplyFailed, results[0].Status)
	require.Equal(t, "engine is unavailable", results[0].Reason)
	require.Equal(t, drift.ApplyFailed, results[1].Status)
	require.Contains(t, results[1].Reason, "outcome of the write is unknown: node is not reachable: eu/broken")
	c.first.apply = func([]drift.Finding) ([]drift.ApplyResult, error) { return nil, nil }
	results = decodeAs[api.DriftApplied](t, c.one.send("POST", "/v1/drift/apply", "", body).body).Results
	require.Equal(t, drift.ApplyFailed, results[0].Status, "a missing result is not a success")
}

func TestReleaseBrake(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	contract := contractOf(t, c.one)
	c.second.brake = &operation.RejectedError{Operation: "release", Reason: "the brake is not on"}
	for _, row := range []struct {
		path   string
		code   api.Code
		status int
		at     string
	}{
		{"/v1/drift/release", "", 200, "eu/n1"},
		{"/v1/drift/release?region=eu&node=n1", "", 200, "eu/n1"},
		{"/v1/drift/release?node=n1", "", 200, "eu/n1"},
		{"/v1/drift/release?region=eu&node=n2", api.CodeRejected, 409, ""},
		{"/v1/drift/release?node=n9", api.CodeNodeUnreachable, 503, ""},
		{"/v1/drift/release?region=eu", api.CodeInvalid, 400, ""},
	} {
		got := c.one.send("POST", row.path, "", "")
		require.Equal(t, row.status, got.StatusCode, "%s: %s", row.path, got.body)
		contract.requireDocumented(t, "POST", row.path, got)
		if row.code != "" {
			require.Equal(t, row.code, got.problem(t).Code)
			continue
		}
		require.Equal(t, row.at, decodeAs[node.Ref](t, got.body).String())
	}
	c.second.brake = nil
	require.Equal(t, "eu/n2", decodeAs[node.Ref](t, c.one.send("POST", "/v1/drift/release?node=n2", "", "").body).String())
	c.first.brake = errors.New("odd")
	require.Equal(t, 500, c.one.send("POST", "/v1/drift/release", "", "").StatusCode)
}
