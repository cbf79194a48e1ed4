package nodetest

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// asker keeps no connection, so that every request shows who listens now.
var asker = &http.Client{Timeout: Patience, Transport: &http.Transport{DisableKeepAlives: true}}

// PIDOf asks the game at the endpoint for its process id.
func PIDOf(t testing.TB, endpoint string) int {
	t.Helper()
	response := ask(t, http.MethodGet, endpoint+"/")
	defer func() { _ = response.Body.Close() }()
	var said struct {
		PID int `json:"pid"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&said))
	require.Greater(t, said.PID, 1)
	return said.PID
}

// Tell posts to the game: /crash, /hang and what else it understands.
func Tell(t testing.TB, endpoint, path string) {
	t.Helper()
	require.NoError(t, ask(t, http.MethodPost, endpoint+path).Body.Close())
}

func ask(t testing.TB, method, url string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	require.NoError(t, err)
	response, err := asker.Do(request)
	require.NoError(t, err)
	require.Less(t, response.StatusCode, 300, "%s %s", method, url)
	return response
}
