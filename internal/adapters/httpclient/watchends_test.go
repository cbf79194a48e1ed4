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

// A watch ends with its context and with the error of that, whatever it is doing.
func TestWatchEndsWithItsContextWhereverItIs(t *testing.T) {
	t.Parallel()
	hold := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	}
	for name, row := range map[string]struct {
		middleware func(http.Handler) http.Handler
		away       bool // the connection breaks after the snapshot
		early      bool // the context ends before anything came
	}{
		"idle":                  {},
		"waiting for an answer": {middleware: hold, early: true},
		"waiting to try again":  {away: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var line network
			cfg := line.config()
			cfg.MinBackoff, cfg.MaxBackoff, cfg.RequestTimeout = time.Hour, time.Hour, time.Hour
			cfg.OnReconnect = func(error, int64) { cancel() }
			asked := make(chan struct{})
			r := overHTTP(t, cfg, func(api http.Handler) http.Handler {
				if row.middleware != nil {
					api = row.middleware(api)
				}
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					close(asked)
					api.ServeHTTP(w, r)
				})
			})
			end := func() {
				<-asked
				cancel()
			}
			if row.early {
				go end()
			}
			var ended []error
			finished := make(chan struct{})
			go func() {
				defer close(finished)
				for event, err := range r.Watch(ctx, ports.WatchOptions{}) {
					if err != nil {
						ended = append(ended, err)
					}
					if event.Type == ports.EventSynced && row.away {
						line.cut()
					} else if event.Type == ports.EventSynced {
						go end()
					}
				}
			}()
			select {
			case <-finished:
			case <-time.After(10 * time.Second):
				require.Fail(t, "the watch goes on though its context has ended")
			}
			require.Equal(t, []error{context.Canceled}, ended)
		})
	}
}

// Whoever leaves the loop leaves nothing behind: the server sees the stream end.
func TestConsumerThatLeavesLetsGoOfTheServer(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]api.Event{
		"in a snapshot": snapshotOf(5, "a")[0], "at synced": snapshotOf(5)[0], "at a change": upserted(6, "a"), "at damage": damagedAt(7, "a"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{})
			client, _ := playing(t, quick(), func(s stage) {
				defer close(gone)
				s.open("s").events(snapshotOf(5, "a", "b")...).events(upserted(6, "a"), damagedAt(7, "a")).idle()
			})
			for event, err := range client.Watch(t.Context(), ports.WatchOptions{}) {
				if event.GameID == last.GameID && (string(event.Type) == last.Type || err != nil && last.Error != nil) {
					break
				}
			}
			select {
			case <-gone:
			case <-time.After(10 * time.Second):
				require.Fail(t, "the stream is still open though its consumer has left")
			}
		})
	}
}
