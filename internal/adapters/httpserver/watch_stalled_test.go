package httpserver_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/logtest"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// A client that does not read is disconnected after Config.WriteTimeout. It affects
// neither other clients nor writers.
func TestStalledClientIsDisconnected(t *testing.T) {
	t.Parallel()
	for name, headers := range bothFormats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, httpserver.Config{WriteTimeout: 1500 * time.Millisecond, Heartbeat: 50 * time.Millisecond})
			healthy := f.watch("", "")
			stalled, _ := f.openUntilDone("GET", "/v1/watch", headers, "")
			require.NoError(t, stalled.(*net.TCPConn).SetReadBuffer(4<<10))
			require.Equal(t, "2", f.metric("rtmanager_watch_streams"))

			record := recordOf("g")
			record.StatePath = strings.Repeat("x", 60<<10)
			healthy.expect("synced 1")
			revision := int64(1)
			deadline := time.Now().Add(testTimeout)
			for revision%16 != 0 || f.metric("rtmanager_watch_streams") != "1" {
				require.True(t, time.Now().Before(deadline), "the stalled client is still connected after %d events of 60 KiB", revision-1)
				require.NoError(t, f.store.Upsert(t.Context(), record))
				revision++
				healthy.expect(fmt.Sprintf("upserted g %d", revision))
			}
			require.NoError(t, f.store.Upsert(t.Context(), recordOf("last")))
			healthy.expect(fmt.Sprintf("upserted last %d", revision+1))
		})
	}
}

// The deadline is that of one write: a stream that was idle for longer can send a large
// event.
func TestIdleTimeIsNotWriteTime(t *testing.T) {
	t.Parallel()
	record := recordOf("g")
	record.StatePath = strings.Repeat("x", 60<<10)
	idle := func() { <-time.After(1500 * time.Millisecond) }
	for _, headers := range bothFormats {
		store := newScriptedStore(
			watchStep{event: ports.RuntimeEvent{Type: ports.EventSynced, Revision: 2, Last: true}, then: idle},
			watchStep{event: ports.RuntimeEvent{Type: ports.EventUpserted, Revision: 3, GameID: "g", After: &record, Last: true}},
		)
		s := startWithStore(t, store, httpserver.Config{WriteTimeout: time.Second, OpenDelay: testTimeout}).watch("", headers)
		require.Equal(t, record, *s.expect("synced 2", "upserted g 3")[1].After)
	}
}

// largePageStore is a store whose pages fill every buffer between server and client.
type largePageStore struct{ *memstore.Store }

func (largePageStore) ReadSnapshot(context.Context, ports.PageQuery) (ports.RecordSnapshot, error) {
	return nil, nil
}

func (largePageStore) ListPage(context.Context, ports.PageQuery) (ports.Page, error) {
	record := recordOf("g")
	record.StatePath = strings.Repeat("x", 60<<10)
	return ports.Page{Revision: 2, Records: slices.Repeat([]runtime.VersionedRecord{{Record: record, Revision: 2}}, 150)}, nil
}

// An ordinary response does not wait for a client that does not read either.
func TestStalledClientOfAPageIsDisconnected(t *testing.T) {
	t.Parallel()
	var log logtest.Buffer
	registry := prometheus.NewRegistry()
	f := startWithStore(t, largePageStore{memstore.New()}, httpserver.Config{
		RequestTimeout: 100 * time.Millisecond, WriteTimeout: 100 * time.Millisecond,
		Registry: registry, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	conn := f.dial("GET /v1/runtimes HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
	require.Eventually(t, func() bool { return slices.Contains(labelsOf(t, registry)["route"], "/v1/runtimes") }, testTimeout, tick, "the request ends although the client has not read the response")
	require.Empty(t, log.String(), "a client that does not read is not a fault of the server")
}

// metric returns the value of a metric without labels.
func (f *fixture) metric(name string) string {
	f.t.Helper()
	text := f.send("GET", "/metrics", "", "").body
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	require.Fail(f.t, "no such metric", "%s in %s", name, text)
	return ""
}
