package httpclient_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// interceptFirst handles the first request by respond and passes later ones to the API.
func interceptFirst(respond http.HandlerFunc) func(http.Handler) http.Handler {
	var requests atomic.Int64
	return func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1) == 1 {
				respond(w, r)
				return
			}
			api.ServeHTTP(w, r)
		})
	}
}

func TestWatchIgnoresInvalidStreams(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ stream, reason string }{
		"empty":                     {"", "the stream broke: EOF"},
		"no JSON":                   {"garbage\n", "is not an event"},
		"no object":                 {"[]\n", "is not an event"},
		"a wrong type of member":    {`{"type":"synced","revision":"7","last":true}` + "\n", "is not an event"},
		"two events in a network":   {`{"type":"synced","last":true}{"type":"synced","last":true}` + "\n", "is not an event"},
		"null":                      {"null\n", "event without a type"},
		"no type":                   {`{"revision":7,"game_id":"a","last":true}` + "\n", "event without a type"},
		"a network without its end": {`{"type":"synced","revision":7,"last":true}`, "the stream broke: EOF"},
		"half a revision":           {`{"type":"upserted","revision":7,"game_id":"x","after":{"game_id":"x"}}` + "\n", "the stream broke: EOF"},
		"half a snapshot":           {`{"type":"snapshot","revision":7,"game_id":"x","after":{"game_id":"x"}}` + "\n", "the stream broke: EOF"},
		"an endless network":        {strings.Repeat("x", 5<<20), "token too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := fastRetries()
			var reasons []error
			cfg.OnReconnect = func(err error, from int64) {
				require.Zero(t, from, "revision to resume from")
				reasons = append(reasons, err)
			}
			r := overHTTP(t, cfg, interceptFirst(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", api.NDJSONMediaType)
				_, _ = io.WriteString(w, row.stream)
			}))
			require.NoError(t, r.store.Upsert(t.Context(), running("a")))
			var got []eventSummary
			require.NoError(t, rangeWatch(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
				got = append(got, eventSummary{event.Type, event.Revision, event.GameID, event.Last})
				return event.Type != ports.EventSynced
			}))
			require.Equal(t, []eventSummary{{ports.EventSnapshot, 2, "a", false}, {ports.EventSynced, 2, "", true}}, got)
			require.Len(t, reasons, 1, "reconnects")
			require.ErrorContains(t, reasons[0], row.reason)
		})
	}
}

// A response that does not come from the API ends the watch, at the start and later. Only
// the status of a gateway without a backend is retried, once the watch has started.
func TestWatchOfAServerThatIsNotTheAPI(t *testing.T) {
	t.Parallel()
	for status, isRetried := range map[int]bool{
		http.StatusOK: false, http.StatusNoContent: false, http.StatusForbidden: false, http.StatusNotFound: false,
		http.StatusInternalServerError: false,
		http.StatusBadGateway:          true, http.StatusServiceUnavailable: true, http.StatusGatewayTimeout: true,
	} {
		respond := func(w http.ResponseWriter, _ *http.Request) {
			if status == http.StatusNoContent {
				w.WriteHeader(status)
				return
			}
			htmlPage(w, status)
		}
		requireNonAPI := func(t *testing.T, err error) {
			t.Helper()
			requireOnly(t, nil, err)
			require.ErrorContains(t, err, strconv.Itoa(status)+" "+http.StatusText(status)+", which is not a response of the API")
		}
		t.Run("at first/"+strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			cfg := fastRetries()
			cfg.OnReconnect = func(err error, _ int64) { require.NoError(t, err, "the client reconnects") }
			r := overHTTP(t, cfg, interceptFirst(respond))
			requireNonAPI(t, rangeWatch(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
				require.Zero(t, event, "an event from a page")
				return false
			}))
		})
		t.Run("later/"+strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			var network faultyNetwork
			var server swappableServer
			cfg := network.config()
			r := overHTTP(t, cfg, server.middleware)
			err := rangeWatch(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
				if event.Type == ports.EventSynced {
					api := server.handler.Load()
					intercepted := interceptFirst(respond)(*api)
					server.handler.Store(&intercepted)
					network.breakConnection()
					require.NoError(t, r.store.Upsert(t.Context(), running("a")))
				}
				return event.Type == ports.EventSynced
			})
			if isRetried {
				require.NoError(t, err, "the watch continues with the change after the page")
				return
			}
			requireNonAPI(t, err)
		})
	}
}
