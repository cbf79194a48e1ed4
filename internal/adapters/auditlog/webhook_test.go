package auditlog_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/auditlog"
	"galaxy/rtmanager/internal/testkit/logtest"
)

// receiver is an HTTP endpoint that collects lines.
type receiver struct {
	*httptest.Server
	lines    logtest.Buffer
	status   atomic.Int64
	requests atomic.Int64
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.status.Store(http.StatusNoContent)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.requests.Add(1)
		status := int(r.status.Load())
		w.Header().Set("Location", "/elsewhere")
		if status < 300 && request.Header.Get("Content-Type") == "application/x-ndjson" {
			_, _ = io.Copy(&r.lines, request.Body)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func startWebhook(t *testing.T, r *receiver) (*fixture, *logtest.Buffer) {
	t.Helper()
	logged := &logtest.Buffer{}
	webhook, err := auditlog.NewWebhook(auditlog.WebhookConfig{URL: r.URL + "/path-secret?token=query-secret", Logger: slog.New(slog.NewTextHandler(logged, nil))})
	require.NoError(t, err)
	return start(t, auditlog.FileConfig{}, webhook), logged
}

func (r *receiver) awaitLines(t *testing.T, count int) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Count(r.lines.String(), "\n") == count }, testTimeout, tick)
}

func TestWebhookReceivesEveryEvent(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	f, _ := startWebhook(t, r)
	for i := range 300 {
		require.NoError(t, f.Append(t.Context(), succeeded(strconv.Itoa(i))))
	}
	r.awaitLines(t, 300)
	require.Contains(t, r.lines.String(), `"request_id":"299"`)
	require.Less(t, r.requests.Load(), int64(301))
	// The webhook counts a batch when it has the response, after the receiver has the lines.
	require.Eventually(t, func() bool { return f.Stats().WebhookSent == 300 }, testTimeout, tick)
}

func TestWebhookRetries(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.status.Store(http.StatusServiceUnavailable)
	f, logged := startWebhook(t, r)
	f.append(t, succeeded("1"))
	require.Eventually(t, func() bool { return r.requests.Load() >= 2 }, testTimeout, tick)
	require.NoError(t, f.Check(), "a webhook that fails stops no mutation")
	r.status.Store(http.StatusOK)
	r.awaitLines(t, 1)
	require.Empty(t, logged.String())
}

// A redirect and a rejection are not retried: the events are dropped, counted and logged
// once. The log contains no secret of the URL.
func TestWebhookDropsRejectedEvents(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	f, logged := startWebhook(t, r)
	for i, status := range []int{http.StatusTemporaryRedirect, http.StatusForbidden} {
		r.status.Store(int64(status))
		f.append(t, succeeded("1"))
		require.Eventually(t, func() bool { return f.Stats().WebhookDropped == int64(i+1) }, testTimeout, tick)
	}
	require.Equal(t, int64(2), r.requests.Load(), "the redirect is not followed")
	require.Equal(t, 1, strings.Count(logged.String(), "drops events"), logged.String())
	require.NotContains(t, logged.String(), "secret")
	r.status.Store(http.StatusOK)
	f.append(t, succeeded("2"))
	require.Eventually(t, func() bool { return strings.Contains(logged.String(), "accepts events") }, testTimeout, tick)
}

// An endpoint that does not respond blocks neither the API nor the memory.
func TestStalledWebhookDropsEvents(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	webhook, err := auditlog.NewWebhook(auditlog.WebhookConfig{URL: server.URL, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	log := auditlog.New(nil, webhook)
	for range 12_000 {
		require.NoError(t, log.Append(t.Context(), succeeded("1")))
	}
	require.Equal(t, int64(2000), log.Stats().WebhookDropped)
}

// The last events are sent when the daemon stops.
func TestWebhookIsFlushedAtTheEnd(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	webhook, err := auditlog.NewWebhook(auditlog.WebhookConfig{URL: r.URL, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	log := auditlog.New(nil, webhook)
	for i := range 500 {
		require.NoError(t, log.Append(t.Context(), succeeded(strconv.Itoa(i))))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, log.Run(ctx))
	r.awaitLines(t, 500)
}

func TestWebhookURLIsNotInTheError(t *testing.T) {
	t.Parallel()
	_, err := auditlog.NewWebhook(auditlog.WebhookConfig{URL: "https://user:secret@%zz/"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
}
