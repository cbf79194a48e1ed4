package daemon_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/testkit/audittest"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// A daemon records a write in the audit file and at the webhook, and continues the file
// after a restart.
func TestAuditLogOfADaemon(t *testing.T) {
	t.Parallel()
	var received atomic.Int64
	webhook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received.Add(int64(strings.Count(string(body), `"action":"put-runtime"`)))
	}))
	defer webhook.Close()
	dir := filepath.Join(t.TempDir(), "audit")
	require.NoError(t, os.Mkdir(dir, 0o700))
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	cfg.Engine = config.EngineNone
	cfg.AuditFile, cfg.AuditWebhook = filepath.Join(dir, "audit.log"), webhook.URL+"/?token=secret"
	for range 2 {
		d := start(t, cfg)
		require.NoError(t, d.client.Upsert(t.Context(), record("g")))
		response, err := http.Get(d.API + "/metrics")
		require.NoError(t, err)
		metrics, err := io.ReadAll(response.Body)
		require.NoError(t, errors.Join(err, response.Body.Close()))
		require.Contains(t, string(metrics), "\nrtmanager_audit_available 1\n")
		require.NoError(t, d.stop())
	}
	text, err := os.ReadFile(cfg.AuditFile)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	require.Len(t, lines, 2)
	for _, line := range lines {
		var event audit.Event
		require.NoError(t, json.Unmarshal([]byte(line), &event))
		require.Equal(t, audit.OutcomeSucceeded, event.Outcome)
		require.Equal(t, "g", event.GameID)
	}
	require.Equal(t, int64(2), received.Load(), "the last events are sent before the daemon ends")
}

func TestUnsafeAuditFile(t *testing.T) {
	t.Parallel()
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	dir := filepath.Join(t.TempDir(), "audit")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chmod(dir, 0o777))
	cfg.AuditFile = filepath.Join(dir, "audit.log")
	require.ErrorContains(t, startError(t, cfg), "--audit-file: other users can write to the directory")
}

// Both daemons record the first caller of a forwarded request under one request id. A caller
// that claims to forward a request is recorded as itself.
func TestForwardedCallersAreAudited(t *testing.T) {
	t.Parallel()
	var files []string
	p := startSecuredPair(t, func(cfg *config.Config) {
		dir := filepath.Join(t.TempDir(), "audit")
		require.NoError(t, os.Mkdir(dir, 0o700))
		cfg.AuditFile = filepath.Join(dir, "audit.log")
		files = append(files, cfg.AuditFile)
	})
	ops := p.newToken(t, "ops", "operator")
	status, text := ops.send("POST", p.first.API+"/v1/runtimes/far/start", `{"image":"game:1","health_path":"none","region":"us"}`, "X-Request-Id: forwarded", "Rtmanager-Actor: root")
	require.Equal(t, 200, status, text)
	for i, want := range []audit.Event{{Node: "eu/n1", Target: "us/n2"}, {Node: "us/n2", Via: "eu/n1"}} {
		events := audittest.Read(t, files[i])
		event := events[len(events)-1]
		require.Equal(t, []string{want.Node, want.Target, want.Via}, []string{event.Node, event.Target, event.Via})
		require.Equal(t, []string{"forwarded", "start-runtime", "far", "token:ops", "token"}, []string{event.RequestID, event.Action, event.GameID, event.Actor, event.AuthMethod})
	}
	forged := api.EncodeIdentity(access.Identity{Subject: "user:root", Method: access.MethodCertificate})
	status, text = ops.send("POST", p.second.API+"/v1/runtimes/far/stop", "", "Rtmanager-Forwarded: eu/n1", "Rtmanager-Forwarded-Identity: "+forged)
	require.Equal(t, 403, status, text)
	require.Eventually(t, func() bool {
		events := audittest.Read(t, files[1])
		last := events[len(events)-1]
		return last.Outcome == audit.OutcomeDenied && last.Actor == "token:ops" && last.Via == ""
	}, timeout, timeout/1000)
}
