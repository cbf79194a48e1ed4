package httpclient_test

import (
	"io"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
)

// An error text names the server and the reason once, and no internals of the client.
func TestErrorTexts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for timeouts")
	}
	object := func(text string) func(exchange) {
		return func(s exchange) {
			s.w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(s.w, text)
		}
	}
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	for _, row := range []struct {
		call    string
		respond func(exchange)
		want    string
	}{
		{"get", exchange.dropConnection, "cannot reach the daemon at http://HOST: EOF"},
		{"get", exchange.hang, "cannot reach the daemon at http://HOST: no response in time"},
		{"get", object(`{"game_id":`), "cannot reach the daemon at http://HOST: read the response: unexpected EOF"},
		{"get", object(`{}`), `the response's ETag "" is not a revision`},
		{"get", func(s exchange) { htmlPage(s.w, http.StatusOK) }, "http://HOST/v1/runtimes/old returned 200 OK, which is not a response of the API"},
		{"get", func(s exchange) { problem(s.w, http.StatusMisdirectedRequest, api.CodeHostRejected) }, "scripted"},
		{"list", object(`{}`), "server http://HOST returned an unexpected response instead of a page of a list"},
		{"history", object(`{}`), `server http://HOST returned an unexpected response instead of the history of game "old"`},
		{"info", object(`null`), "server http://HOST returned an unexpected response instead of a description of a store"},
		{"transition", exchange.hang, "server http://HOST: outcome of the write is unknown: no response in time"},
		{"transition", func(s exchange) { htmlPage(s.w, http.StatusBadGateway) },
			"server http://HOST: outcome of the write is unknown: http://HOST/v1/runtimes/old/status returned 502 Bad Gateway, which is not a response of the API"},
		{"transition", func(s exchange) { problem(s.w, http.StatusServiceUnavailable, api.CodeUnavailable) }, "scripted"},
		{"repair", exchange.dropConnection, "server http://HOST: outcome of the write is unknown: EOF"},
		{"watch", exchange.dropConnection, "cannot reach the daemon at http://HOST: EOF"},
		{"watch", exchange.hang, "cannot reach the daemon at http://HOST: the server did not open the stream in time"},
		{"watch", func(s exchange) { s.openStream("s").sendLines("<html>") },
			"server http://HOST: store is not compatible: malformed stream: a line is not an event: invalid character '<' looking for beginning of value"},
	} {
		t.Run(row.call+" "+row.want, func(t *testing.T) {
			t.Parallel()
			cfg := fastRetries()
			cfg.RequestTimeout, cfg.WriteTimeout = time.Second, 2*time.Second
			if row.call != "watch" {
				cfg.MinBackoff, cfg.MaxBackoff = time.Hour, time.Hour // so that there is only one attempt
			}
			client, _ := scriptedClient(t, cfg, row.respond)
			err := everyCall()[row.call](t.Context(), client)
			require.Error(t, err)
			require.Equal(t, row.want, address.ReplaceAllString(err.Error(), "HOST"))
		})
	}
}
