package httpserver_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// OPTIONS names the methods of a path, and allows no other origin.
func TestOptionsNameTheMethods(t *testing.T) {
	t.Parallel()
	url := serveGames(t, 0)
	for path, status := range map[string]int{"/v1/runtimes/g": http.StatusNoContent, "/v1/none": http.StatusNotFound} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, url+path, nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, status, response.StatusCode)
		require.Empty(t, response.Header.Get("Access-Control-Allow-Origin"))
		if status == http.StatusNoContent {
			require.Equal(t, "DELETE, GET, HEAD, PUT", response.Header.Get("Allow"))
		}
	}
}
