package httpclient_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
)

func TestNewRejectsInvalidAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"", " ", "/", "127.0.0.1:8080", "localhost:8080", "galaxy", "ftp://h:1", "unix:///run/x", "http:h", "http://", "http:///v1",
		"http://:8080", "http://user@", "http://h:port", "http://[::1", "http://h\x7f", "://h", "http://h?", "http://h?a=b", "http://h#f",
	} {
		_, err := httpclient.New(address, httpclient.Config{})
		require.ErrorContains(t, err, "server address", "New(%q)", address)
	}
	for _, address := range []string{"http://h", "http://h/", "HTTPS://h:1", "http://[::1]:8080", "http://user:pass@h/prefix/"} {
		client, err := httpclient.New(address, httpclient.Config{})
		require.NoError(t, err, "New(%q)", address)
		require.NoError(t, client.Close())
	}
}

func TestErrorsDoNotShowThePassword(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"ftp://user:sesame@h", "http://user:sesame@", "http://user:sesame@h?a=b", "http://user:sesame@h#f", "http://user:sesame@h:port",
		"http://user:sesame%zz@h", "user:sesame@h:8080", "http://user:sesame@[::1", "http://user:sesame@h\x7f",
	} {
		_, err := httpclient.New(address, httpclient.Config{})
		require.Error(t, err, "New(%q)", address)
		require.NotContains(t, err.Error(), "sesame", "New(%q)", address)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { htmlPage(w, http.StatusForbidden) }))
	host := server.Listener.Addr().String()
	client, err := httpclient.New("http://user:sesame@"+host, httpclient.Config{WriteTimeout: time.Second})
	require.NoError(t, err)
	defer client.Close()
	requireRedacted := func(when string) {
		for name, call := range everyCall() {
			err := call(t.Context(), client)
			require.ErrorContains(t, err, host, "%s %s", name, when)
			require.NotContains(t, err.Error(), "sesame", "%s %s", name, when)
		}
	}
	requireRedacted("rejected by the server")
	server.Close()
	requireRedacted("of a server that is closed")
}
