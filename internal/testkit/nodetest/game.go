package nodetest

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// gameClient opens a connection for each request, so that the process that listens now
// responds.
var gameClient = &http.Client{Timeout: Timeout, Transport: &http.Transport{DisableKeepAlives: true}}

// GamePID returns the process id of the game at the endpoint, as the game reports it.
func GamePID(t testing.TB, endpoint string) int {
	t.Helper()
	response := requestGame(t, http.MethodGet, endpoint+"/")
	defer func() { _ = response.Body.Close() }()
	var body struct {
		PID int `json:"pid"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&body))
	require.Greater(t, body.PID, 1)
	return body.PID
}

// PostToGame sends a POST request to the game at the endpoint, for example to /crash or
// /hang.
func PostToGame(t testing.TB, endpoint, path string) {
	t.Helper()
	require.NoError(t, requestGame(t, http.MethodPost, endpoint+path).Body.Close())
}

func requestGame(t testing.TB, method, url string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	require.NoError(t, err)
	response, err := gameClient.Do(request)
	require.NoError(t, err)
	require.Less(t, response.StatusCode, 300, "%s %s", method, url)
	return response
}
