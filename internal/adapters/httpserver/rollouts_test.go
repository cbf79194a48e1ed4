package httpserver_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdrollouts"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/rollouts"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// recordList lists records.
type recordList []runtime.RuntimeRecord

// ListPage returns the records that match.
func (l recordList) ListPage(_ context.Context, query ports.PageQuery) (ports.Page, error) {
	var page ports.Page
	for _, record := range l {
		if query.Matches(record) {
			page.Records = append(page.Records, runtime.VersionedRecord{Record: record, Revision: 1})
		}
	}
	return page, nil
}

// newRollouts returns rollouts of the running games chess-1 in eu, chess-2 in us and go-1 in eu.
func newRollouts(t *testing.T) *rollouts.Service {
	t.Helper()
	var records recordList
	for _, game := range [][2]string{{"chess-1", "eu"}, {"chess-2", "us"}, {"go-1", "eu"}} {
		records = append(records, runtime.RuntimeRecord{GameID: game[0], Region: game[1], Status: runtime.StatusRunning, CurrentImageRef: "game:1.0.0"})
	}
	store := etcdrollouts.New(etcdtest.InProcess(t), etcdrollouts.Options{Prefix: etcdtest.Prefix(t)})
	return rollouts.New(rollouts.Dependencies{Store: store, Records: records}, rollouts.Config{})
}

// A caller needs the permission operate for every game of a rollout, and sees only rollouts of games that it
// may all read.
func TestRightsOfRollouts(t *testing.T) {
	t.Parallel()
	s := startSecured(t, func(cfg *servertest.Config) { cfg.Rollouts = newRollouts(t) })
	operator, chess, reader := s.token("ops", "operator@eu"), s.token("chess", "operator:chess-*"), s.token("view", "reader")
	const chessOnly, every = `{"image":"game:1.0.1","game_id_prefix":"chess-"}`, `{"image":"game:1.0.1","all":true}`
	const key = "Idempotency-Key: key-1\r\n"
	started := s.send("POST", "/v1/rollouts", chess+key+"Rtmanager-Reason: update\r\n", chessOnly)
	require.Equal(t, 201, started.StatusCode, started.body)
	var body api.RolloutStarted
	require.NoError(t, json.Unmarshal([]byte(started.body), &body))
	require.Equal(t, rollout.Actor{Name: "token:chess", Subject: "token:chess"}, body.Rollout.By)
	path := "/v1/rollouts/" + body.Rollout.ID
	require.Equal(t, path, started.Header.Get("Location"))
	for _, step := range []struct {
		headers, method, path, body string
		status                      int
	}{
		{operator, "POST", "/v1/rollouts?dry_run=true", `{"image":"game:1.0.1","game_id_prefix":"chess-2"}`, 422}, // no game that it can see
		{operator, "POST", "/v1/rollouts?dry_run=true", `{"image":"game:1.0.1","regions":["eu"],"game_id_prefix":"go-"}`, 200},
		{reader, "POST", "/v1/rollouts", every, 403},
		{chess, "POST", "/v1/rollouts", chessOnly, 409},
		{chess + key, "POST", "/v1/rollouts", chessOnly, 201}, // the same request
		{operator + key, "POST", "/v1/rollouts", chessOnly, 422},
		{operator, "GET", path, "", 403},
		{operator, "POST", path + "/pause", "", 403},
		{operator, "DELETE", path, "", 403},
		{reader, "GET", path, "", 200},
		{reader, "POST", path + "/pause", "", 403},
		{chess, "POST", path + "/pause", "", 200},
		{chess, "POST", path + "/pause", `{"skip_failed":true}`, 422},
		{chess, "POST", path + "/resume", `{"skip_failed":true}`, 200},
	} {
		got := s.send(step.method, step.path, step.headers, step.body)
		require.Equal(t, step.status, got.StatusCode, "%s %s: %s", step.method, step.path, got.body)
	}
	for headers, want := range map[string]int{operator: 0, chess: 1, reader: 1} {
		var list api.RolloutList
		require.NoError(t, json.Unmarshal([]byte(s.send("GET", "/v1/rollouts", headers, "").body), &list))
		require.Len(t, list.Items, want)
	}
}

// A role that is limited to labels keeps its rollout when games of it are deleted, and gets no other one.
func TestRightsOfRolloutsByLabels(t *testing.T) {
	t.Parallel()
	var list recordList
	s := startSecured(t, func(cfg *servertest.Config) {
		store := etcdrollouts.New(etcdtest.InProcess(t), etcdrollouts.Options{Prefix: etcdtest.Prefix(t)})
		cfg.Rollouts = rollouts.New(rollouts.Dependencies{Store: store, Records: &list}, rollouts.Config{})
	})
	for _, gameID := range []string{"a-1", "a-2"} {
		s.labeled(gameID, "a")
		found, err := s.store.GetVersioned(t.Context(), gameID)
		require.NoError(t, err)
		list = append(list, found.Record)
	}
	labeled, other := s.token("labeled", "operator/team=a"), s.token("other", "operator/team=b")
	started := s.send("POST", "/v1/rollouts", labeled, `{"image":"game:1.2.9","all":true}`)
	require.Equal(t, 201, started.StatusCode, started.body)
	path := started.Header.Get("Location")
	requireStatus := func(want int, headers string) {
		t.Helper()
		require.Equal(t, want, s.send("GET", path, headers, "").StatusCode)
		require.Equal(t, want, s.send("POST", path+"/pause", headers, "").StatusCode)
	}
	requireStatus(200, labeled)
	requireStatus(403, other)
	s.store.DeleteKeys("a-1")
	requireStatus(200, labeled)
	requireStatus(403, other)
	s.store.DeleteKeys("a-2")
	requireStatus(200, labeled)
	requireStatus(403, other)
	s.labeled("a-2", "b") // it has the time of creation of the game of the rollout
	requireStatus(403, labeled)
}

// A request is started once under one idempotency key, and an empty filter selects nothing.
func TestStartOfRollouts(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{Rollouts: newRollouts(t)})
	const body = `{"image":"game:1.0.1","regions":["eu"]}`
	first, second := f.send("POST", "/v1/rollouts", "Idempotency-Key: k\r\n", body), f.send("POST", "/v1/rollouts", "Idempotency-Key: k\r\n", body)
	require.Equal(t, 201, first.StatusCode, first.body)
	require.JSONEq(t, first.body, second.body)
	require.Equal(t, 422, f.send("POST", "/v1/rollouts", "Idempotency-Key: k\r\n", `{"image":"game:1.0.2","regions":["eu"]}`).StatusCode)
	for _, invalid := range []string{
		`{"image":"game:1.0.1"}`, `{"image":"game:1.0.1","all":true,"regions":["eu"]}`, `{"image":"game:1.0.1","label_selector":""}`,
		`{"image":"game:1.0.1","regions":[]}`, `{"image":"","all":true}`, `{"image":"game:1.0.1","all":true,"max_parallel":0}`,
		`{"image":"game:1.0.1","all":true,"max_unavailable":-1}`, `{"image":"game:1.0.1","regions":["ap"]}`, `{"image":"game:1.0.1","label_selector":"=="}`,
	} {
		got := f.send("POST", "/v1/rollouts", "", invalid)
		require.Equal(t, 422, got.StatusCode, "%s: %s", invalid, got.body)
	}
	require.Equal(t, 501, start(t, httpserver.Config{}).send("GET", "/v1/rollouts", "", "").StatusCode)
}
