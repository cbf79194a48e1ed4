package daemon_test

import (
	"context"
	"net"
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
	cfg := onEtcd(t, etcdtest.Start(t).Endpoint())
	one, other := start(t, cfg), start(t, cfg)
	require.Equal(t, one.Store, other.Store)
	require.NoError(t, one.client.Upsert(t.Context(), record("game")))
	got, err := other.client.Get(t.Context(), "game")
	require.NoError(t, err, "what one daemon has acknowledged, the other must see")
	require.Equal(t, record("game"), got)
}

// A daemon without its etcd says so, and is whole again when it comes back.
func TestDaemonOutlivesItsEtcd(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	d := start(t, onEtcd(t, server.Endpoint()))
	require.NoError(t, d.client.Upsert(t.Context(), record("before")))
	require.Equal(t, http.StatusOK, statusOf(t, d.API+"/readyz"))
	events := watch(t, d)
	requireEvent(t, events, ports.EventSnapshot, "before")
	requireEvent(t, events, ports.EventSynced, "")

	server.Stop()
	require.Equal(t, http.StatusServiceUnavailable, statusOf(t, d.API+"/readyz"))
	require.Equal(t, http.StatusOK, statusOf(t, d.API+"/healthz"), "health does not depend on the store")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := d.client.Get(ctx, "before")
	require.Error(t, err)

	server.Restart()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, http.StatusOK, statusOf(c, d.API+"/readyz"))
	}, patience, 20*time.Millisecond)
	require.NoError(t, d.client.Upsert(t.Context(), record("after")))
	requireEvent(t, events, ports.EventUpserted, "after")
}

func TestUnreachableEtcdIsNamed(t *testing.T) {
	t.Parallel()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	endpoint := "http://" + nobody.Addr().String()
	require.NoError(t, nobody.Close())

	cfg := onEtcd(t, endpoint)
	cfg.EtcdDialTimeout = 300 * time.Millisecond
	err = refused(t, cfg)
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	require.ErrorContains(t, err, endpoint)
}

// watch delivers the events of everything until the test ends.
func watch(t *testing.T, d *running) <-chan ports.RuntimeEvent {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan ports.RuntimeEvent)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
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
		<-ended
	})
	return events
}

// requireEvent passes over bookmarks.
func requireEvent(t *testing.T, events <-chan ports.RuntimeEvent, kind ports.EventType, gameID string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case event := <-events:
			if event.Type == ports.EventBookmark {
				continue
			}
			require.Equal(t, kind, event.Type, "event %+v", event)
			require.Equal(t, gameID, event.GameID, "event %+v", event)
			return
		case <-deadline:
			require.Fail(t, "the event does not come", "%s of %q", kind, gameID)
		}
	}
}
