package nodetest

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// client keeps no connection, so that every request shows who listens now.
var client = &http.Client{Timeout: Patience, Transport: &http.Transport{DisableKeepAlives: true}}

// PIDOf asks the game at the endpoint for its process id.
func PIDOf(t *testing.T, endpoint string) int {
	t.Helper()
	response, err := client.Get(endpoint + "/")
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var said struct {
		PID int `json:"pid"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&said))
	require.Greater(t, said.PID, 1)
	return said.PID
}

// Tell posts to the game: /crash, /hang and what else it understands.
func Tell(t *testing.T, endpoint, path string) {
	t.Helper()
	response, err := client.Post(endpoint+path, "text/plain", nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Less(t, response.StatusCode, 300, "POST %s", path)
}
