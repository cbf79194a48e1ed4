package httpclient_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// A watch ends with its context, and with the error of the context, in every state.
func TestWatchEndsWithItsContextInEveryState(t *testing.T) {
	t.Parallel()
	hold := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	}
	for name, row := range map[string]struct {
		middleware func(http.Handler) http.Handler
		outage     bool // the connection breaks after the snapshot
		early      bool // the context ends before the first event
	}{
		"idle":                   {},
		"waiting for a response": {middleware: hold, early: true},
		"waiting to reconnect":   {outage: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var network faultyNetwork
			cfg := network.config()
			cfg.MinBackoff, cfg.MaxBackoff, cfg.RequestTimeout = time.Hour, time.Hour, time.Hour
			cfg.OnReconnect = func(error, int64) { cancel() }
			requested := make(chan struct{})
			r := overHTTP(t, cfg, func(api http.Handler) http.Handler {
				if row.middleware != nil {
					api = row.middleware(api)
				}
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					close(requested)
					api.ServeHTTP(w, r)
				})
			})
			end := func() {
				<-requested
				cancel()
			}
			if row.early {
				go end()
			}
			var errs []error
			finished := make(chan struct{})
			go func() {
				defer close(finished)
				for event, err := range r.Watch(ctx, ports.WatchOptions{}) {
					if err != nil {
						errs = append(errs, err)
					}
					if event.Type == ports.EventSynced && row.outage {
						network.breakConnection()
					} else if event.Type == ports.EventSynced {
						go end()
					}
				}
			}()
			select {
			case <-finished:
			case <-time.After(10 * time.Second):
				require.Fail(t, "the watch continues after its context has ended")
			}
			require.Equal(t, []error{context.Canceled}, errs)
		})
	}
}

// A consumer that stops ranging closes the stream: the server sees its end.
func TestStoppedConsumerClosesTheStream(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]api.Event{
		"in a snapshot": snapshotOf(5, "a")[0], "at synced": snapshotOf(5)[0], "at a change": upserted(6, "a"), "at a corrupt value": corruptAt(7, "a"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed := make(chan struct{})
			client, _ := scriptedClient(t, fastRetries(), func(s exchange) {
				defer close(closed)
				s.openStream("s").sendEvents(snapshotOf(5, "a", "b")...).sendEvents(upserted(6, "a"), corruptAt(7, "a")).hang()
			})
			for event, err := range client.Watch(t.Context(), ports.WatchOptions{}) {
				if event.GameID == last.GameID && (string(event.Type) == last.Type || err != nil && last.Error != nil) {
					break
				}
			}
			select {
			case <-closed:
			case <-time.After(10 * time.Second):
				require.Fail(t, "the stream is still open after its consumer stopped")
			}
		})
	}
}
