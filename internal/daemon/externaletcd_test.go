package daemon_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestTwoDaemonsShareAnEtcd(t *testing.T) {
	t.Parallel()
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	one, other := start(t, cfg), start(t, cfg)
	require.Equal(t, one.Store, other.Store)
	require.NoError(t, one.client.Upsert(t.Context(), record("game")))
	got, err := other.client.Get(t.Context(), "game")
	require.NoError(t, err, "an acknowledged write is visible in the other daemon")
	require.Equal(t, record("game"), got)
}

// A daemon is not ready while its etcd is down, and ready when etcd has restarted.
func TestDaemonSurvivesARestartOfEtcd(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts etcd")
	}
	t.Parallel()
	server := etcdtest.Start(t)
	d := start(t, externalSettings(t, server.Endpoint()))
	require.NoError(t, d.client.Upsert(t.Context(), record("before")))
	require.Equal(t, http.StatusOK, statusOf(t, d.API+"/readyz"))
	events := watch(t, d)
	requireEvent(t, events, ports.EventSnapshot, "before")
	requireEvent(t, events, ports.EventSynced, "")

	server.Stop()
	require.EventuallyWithT(t, func(c *assert.CollectT) { // an outage is tolerated for a short time
		require.Equal(c, http.StatusServiceUnavailable, statusOf(c, d.API+"/readyz"))
	}, timeout, 100*time.Millisecond)
	require.Equal(t, http.StatusOK, statusOf(t, d.API+"/healthz"), "health does not depend on the store")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := d.client.Get(ctx, "before")
	require.Error(t, err)

	server.Restart()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, http.StatusOK, statusOf(c, d.API+"/readyz"))
	}, timeout, 20*time.Millisecond)
	require.NoError(t, d.client.Upsert(t.Context(), record("after")))
	requireEvent(t, events, ports.EventUpserted, "after")
}

func TestUnreachableEtcd(t *testing.T) {
	t.Parallel()
	const endpoint = "http://127.0.0.1:1"
	cfg := externalSettings(t, endpoint)
	cfg.EtcdDialTimeout = 300 * time.Millisecond
	err := startError(t, cfg)
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	require.ErrorContains(t, err, endpoint)
}

// watch returns the events of all records until the test ends.
func watch(t *testing.T, d *runningDaemon) <-chan ports.RuntimeEvent {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan ports.RuntimeEvent)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event, err := range d.client.Watch(ctx, ports.WatchOptions{}) {
			if err != nil {
				return
			}
			select {
			case events <- event:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return events
}

// requireEvent checks the next event, without bookmarks and changes of a condition.
func requireEvent(t *testing.T, events <-chan ports.RuntimeEvent, kind ports.EventType, gameID string) {
	t.Helper()
	deadline := time.After(timeout)
	for {
		select {
		case event := <-events:
			isCondition := event.Before != nil && event.After != nil && event.After.EqualExceptCondition(*event.Before)
			if event.Type == ports.EventBookmark || isCondition {
				continue
			}
			if event.Type == ports.EventUpserted && kind != ports.EventUpserted {
				continue // the daemon writes the condition of a game
			}
			require.Equal(t, kind, event.Type, "event %+v", event)
			require.Equal(t, gameID, event.GameID, "event %+v", event)
			return
		case <-deadline:
			require.Fail(t, "no event within the timeout", "%s of %q", kind, gameID)
		}
	}
}
