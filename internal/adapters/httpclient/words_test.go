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

// What a person reads says once who did not answer and why, and nothing of how
// the client is made.
func TestErrorsReadWell(t *testing.T) {
	t.Parallel()
	object := func(text string) func(stage) {
		return func(s stage) {
			s.w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(s.w, text)
		}
	}
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	for _, row := range []struct {
		call  string
		scene func(stage)
		want  string
	}{
		{"get", stage.cut, "server http://HOST: store is unavailable: EOF"},
		{"get", stage.idle, "server http://HOST: store is unavailable: no answer in time"},
		{"get", object(`{"game_id":`), "server http://HOST: store is unavailable: read the answer: unexpected EOF"},
		{"get", object(`{}`), `the answer's ETag "" is not a revision`},
		{"get", func(s stage) { page(s.w, http.StatusOK) }, "http://HOST/v1/runtimes/old answered 200 OK, which is not an answer of the API"},
		{"get", func(s stage) { problem(s.w, http.StatusMisdirectedRequest, api.CodeHostRefused) }, "spoiled"},
		{"list", object(`{}`), "server http://HOST answered something else than a page of a list"},
		{"history", object(`{}`), `server http://HOST answered something else than the history of game "old"`},
		{"info", object(`null`), "server http://HOST answered something else than a description of a store"},
		{"transition", stage.idle, "server http://HOST: outcome of the write is unknown: no answer in time"},
		{"transition", func(s stage) { page(s.w, http.StatusBadGateway) },
			"server http://HOST: outcome of the write is unknown: http://HOST/v1/runtimes/old/status answered 502 Bad Gateway, which is not an answer of the API"},
		{"transition", func(s stage) { problem(s.w, http.StatusServiceUnavailable, api.CodeUnavailable) }, "spoiled"},
		{"repair", stage.cut, "server http://HOST: outcome of the write is unknown: EOF"},
		{"watch", stage.cut, "server http://HOST: store is unavailable: EOF"},
		{"watch", stage.idle, "server http://HOST: store is unavailable: the server did not begin the stream in time"},
		{"watch", func(s stage) { s.open("s").say("<html>") },
			"server http://HOST: store is not compatible: the stream cannot be read: a line is no event: invalid character '<' looking for beginning of value"},
	} {
		t.Run(row.call+" "+row.want, func(t *testing.T) {
			t.Parallel()
			cfg := quick()
			cfg.RequestTimeout, cfg.WriteTimeout = time.Second, 2*time.Second
			if row.call != "watch" {
				cfg.MinBackoff, cfg.MaxBackoff = time.Hour, time.Hour // so that the first try is the last
			}
			client, _ := playing(t, cfg, row.scene)
			err := everyCall()[row.call](t.Context(), client)
			require.Error(t, err)
			require.Equal(t, row.want, address.ReplaceAllString(err.Error(), "HOST"))
		})
	}
}
