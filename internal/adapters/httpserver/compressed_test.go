package httpserver_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// getWith returns the response of a GET with the headers, and its body as it was sent.
// readResult is a response whose body was read.
type readResult struct {
	StatusCode int
	Header     http.Header
}

func getWith(t *testing.T, url string, headers map[string]string) (readResult, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Header.Set("Accept-Encoding", "identity")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return readResult{response.StatusCode, response.Header}, string(body)
}

func gunzip(t *testing.T, text string) string {
	t.Helper()
	reader, err := gzip.NewReader(strings.NewReader(text))
	require.NoError(t, err)
	plain, err := io.ReadAll(reader)
	require.NoError(t, err)
	return string(plain)
}

func serveGames(t *testing.T, games int) (url string) {
	t.Helper()
	store := memstore.New()
	for n := range games {
		require.NoError(t, store.Upsert(t.Context(), recordOf(fmt.Sprintf("game-%04d", n))))
	}
	server, err := httpserver.New(store, httpserver.Config{})
	require.NoError(t, err)
	listener := httptest.NewServer(server.Handler())
	t.Cleanup(listener.Close)
	return listener.URL
}

func TestListsAreCompressed(t *testing.T) {
	t.Parallel()
	url := serveGames(t, 500) + "/v1/runtimes?limit="
	plainResponse, plain := getWith(t, url+"500", nil)
	require.Empty(t, plainResponse.Header.Get("Content-Encoding"))
	require.Equal(t, "Accept-Encoding", plainResponse.Header.Get("Vary"))
	for _, accepted := range []string{"gzip", "br, gzip;q=0.8", "*"} {
		response, body := getWith(t, url+"500", map[string]string{"Accept-Encoding": accepted})
		if accepted != "*" {
			require.Equal(t, "gzip", response.Header.Get("Content-Encoding"), accepted)
			require.Less(t, 5*len(body), len(plain))
			body = gunzip(t, body)
		}
		require.Equal(t, plain, body, accepted)
		require.Equal(t, "application/json", response.Header.Get("Content-Type"))
	}
	response, body := getWith(t, url+"500", map[string]string{"Accept-Encoding": "gzip;q=0, identity"})
	require.Empty(t, response.Header.Get("Content-Encoding"))
	require.Equal(t, plain, body)
	response, _ = getWith(t, url+"1", map[string]string{"Accept-Encoding": "gzip"})
	require.Empty(t, response.Header.Get("Content-Encoding"), "a small one")
	response, body = getWith(t, url+"0", map[string]string{"Accept-Encoding": "gzip"})
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
	require.True(t, json.Valid([]byte(body)), "a problem is not compressed")
}

// A stream would wait in the buffer of the compression, and the ETag of a record is a precondition.
func TestStreamsAndRecordsAreNotCompressed(t *testing.T) {
	t.Parallel()
	url := serveGames(t, 100)
	response, _ := getWith(t, url+"/v1/runtimes/game-0001", map[string]string{"Accept-Encoding": "gzip"})
	require.Empty(t, response.Header.Get("Content-Encoding"))
	require.Regexp(t, `^"\d+"$`, response.Header.Get("ETag"))

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/watch", nil)
	require.NoError(t, err)
	request.Header.Set("Accept-Encoding", "gzip")
	stream, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.Empty(t, stream.Header.Get("Content-Encoding"))
	require.NoError(t, stream.Body.Close())
}

func TestDocumentIsRevalidated(t *testing.T) {
	t.Parallel()
	url := serveGames(t, 0) + "/openapi.json"
	plain, document := getWith(t, url, nil)
	require.Equal(t, "no-cache", plain.Header.Get("Cache-Control"))
	compressed, body := getWith(t, url, map[string]string{"Accept-Encoding": "gzip"})
	require.Equal(t, document, gunzip(t, body))
	require.Less(t, 5*len(body), len(document))
	require.NotEqual(t, plain.Header.Get("ETag"), compressed.Header.Get("ETag"), "the bytes differ")
	for _, tag := range []string{plain.Header.Get("ETag"), compressed.Header.Get("ETag"), "W/" + plain.Header.Get("ETag"), `"other", ` + compressed.Header.Get("ETag"), "*"} {
		for _, accepted := range []string{"identity", "gzip"} {
			response, body := getWith(t, url, map[string]string{"If-None-Match": tag, "Accept-Encoding": accepted})
			require.Equal(t, http.StatusNotModified, response.StatusCode, tag)
			require.Empty(t, body)
			require.NotEmpty(t, response.Header.Get("ETag"))
		}
	}
	response, _ := getWith(t, url, map[string]string{"If-None-Match": `"other"`})
	require.Equal(t, http.StatusOK, response.StatusCode)
}
