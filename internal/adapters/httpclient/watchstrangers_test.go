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

// spoil answers the first watch so, and leaves later ones to the API.
func spoil(answer http.HandlerFunc) func(http.Handler) http.Handler {
	var asked atomic.Int64
	return func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) == 1 {
				answer(w, r)
				return
			}
			api.ServeHTTP(w, r)
		})
	}
}

func TestWatchMakesNoEventOfWhatIsNone(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ stream, reason string }{
		"nothing":                {"", "the stream broke: EOF"},
		"no JSON":                {"garbage\n", "is no event"},
		"no object":              {"[]\n", "is no event"},
		"a wrong type of member": {`{"type":"synced","revision":"7","last":true}` + "\n", "is no event"},
		"two events in a line":   {`{"type":"synced","last":true}{"type":"synced","last":true}` + "\n", "is no event"},
		"null":                   {"null\n", "event without a type"},
		"no type":                {`{"revision":7,"game_id":"a","last":true}` + "\n", "event without a type"},
		"a line without its end": {`{"type":"synced","revision":7,"last":true}`, "the stream broke: EOF"},
		"half a revision":        {`{"type":"upserted","revision":7,"game_id":"x","after":{"game_id":"x"}}` + "\n", "the stream broke: EOF"},
		"half a snapshot":        {`{"type":"snapshot","revision":7,"game_id":"x","after":{"game_id":"x"}}` + "\n", "the stream broke: EOF"},
		"an endless line":        {strings.Repeat("x", 5<<20), "token too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := patient()
			var reasons []error
			cfg.OnReconnect = func(err error, from int64) {
				require.Zero(t, from, "revision to resume from")
				reasons = append(reasons, err)
			}
			r := overHTTP(t, cfg, spoil(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", api.NDJSONMediaType)
				_, _ = io.WriteString(w, row.stream)
			}))
			require.NoError(t, r.store.Upsert(t.Context(), running("a")))
			var got []told
			require.NoError(t, follow(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
				got = append(got, told{event.Type, event.Revision, event.GameID, event.Last})
				return event.Type != ports.EventSynced
			}))
			require.Equal(t, []told{{ports.EventSnapshot, 2, "a", false}, {ports.EventSynced, 2, "", true}}, got)
			require.Len(t, reasons, 1, "reconnects")
			require.ErrorContains(t, reasons[0], row.reason)
		})
	}
}

// Whatever else answers in the API's place ends the watch, at first and later;
// only a gateway's word that nothing is behind it is waited out, once a watch
// has begun.
func TestWatchAnsweredByAnotherThanTheAPI(t *testing.T) {
	t.Parallel()
	for status, passes := range map[int]bool{
		http.StatusOK: false, http.StatusNoContent: false, http.StatusForbidden: false, http.StatusNotFound: false,
		http.StatusInternalServerError: false,
		http.StatusBadGateway:          true, http.StatusServiceUnavailable: true, http.StatusGatewayTimeout: true,
	} {
		answer := func(w http.ResponseWriter, _ *http.Request) {
			if status == http.StatusNoContent {
				w.WriteHeader(status)
				return
			}
			page(w, status)
		}
		ends := func(t *testing.T, err error) {
			t.Helper()
			requireOnly(t, nil, err)
			require.ErrorContains(t, err, strconv.Itoa(status)+" "+http.StatusText(status)+", which is not an answer of the API")
		}
		t.Run("at first/"+strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			cfg := patient()
			cfg.OnReconnect = func(err error, _ int64) { require.NoError(t, err, "the client reconnects") }
			r := overHTTP(t, cfg, spoil(answer))
			ends(t, follow(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
				require.Zero(t, event, "an event of a page")
				return false
			}))
		})
		t.Run("later/"+strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			var line network
			var place replaceable
			cfg := line.config()
			r := overHTTP(t, cfg, place.middleware)
			err := follow(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
				if event.Type == ports.EventSynced {
					api := place.handler.Load()
					spoiled := spoil(answer)(*api)
					place.handler.Store(&spoiled)
					line.cut()
					require.NoError(t, r.store.Upsert(t.Context(), running("a")))
				}
				return event.Type == ports.EventSynced
			})
			if passes {
				require.NoError(t, err, "the watch goes on to the change behind the page")
				return
			}
			ends(t, err)
		})
	}
}
