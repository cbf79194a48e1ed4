package enginetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// BuildGame builds cmd/gameserver as a static program at the path. The program reports
// this version.
func BuildGame(ctx context.Context, path, version string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w -X main.version="+version, "-o", path, "galaxy/rtmanager/cmd/gameserver")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the game server: %w: %s", err, out)
	}
	return nil
}

// gameClient sends requests to the game at the endpoint of a container.
type gameClient struct{ id, endpoint string }

func clientOf(c container.Container) gameClient {
	return gameClient{id: c.Labels.GameID, endpoint: c.Endpoint}
}

// httpClient keeps no connection, so that every request reaches the current process.
var httpClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// send sends one request. It returns an error if there is no response.
func (g gameClient) send(ctx context.Context, method, path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, g.endpoint+path, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// waitReady waits until the game is healthy.
func (g gameClient) waitReady(t *testing.T) {
	t.Helper()
	require.NotEmpty(t, g.endpoint, "a running game has an endpoint")
	eventually(t, "the game responds at "+g.endpoint, func() bool { return g.isReady(t) })
}

// isReady reports whether the game is healthy.
func (g gameClient) isReady(t *testing.T) bool {
	status, _, err := g.send(t.Context(), http.MethodGet, "/healthz")
	return err == nil && status == http.StatusOK
}

// post sends a request that can end the game before it responds.
func (g gameClient) post(t *testing.T, path string) {
	t.Helper()
	status, body, err := g.send(t.Context(), http.MethodPost, path)
	if err == nil {
		require.Equal(t, http.StatusOK, status, body)
	}
}

// log makes the game write lines of the text to its log.
func (g gameClient) log(t *testing.T, text string, times int) {
	t.Helper()
	status, body, err := g.send(t.Context(), http.MethodPost, fmt.Sprintf("/log?text=%s&times=%d", url.QueryEscape(text), times))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, body)
}

// variable returns an environment variable of the game, and whether it is set.
func (g gameClient) variable(t *testing.T, name string) (string, bool) {
	t.Helper()
	status, body, err := g.send(t.Context(), http.MethodGet, "/env?name="+url.QueryEscape(name))
	require.NoError(t, err)
	return body, status == http.StatusOK
}

// processInfo is how the process of a game describes itself.
type processInfo struct {
	Version string   `json:"version"`
	PID     int      `json:"pid"`
	Uptime  float64  `json:"uptime_seconds"`
	Args    []string `json:"args"`
	GameID  string   `json:"game_id"`
	// Directory is its working directory.
	Directory string `json:"directory"`
}

func (g gameClient) processInfo(t *testing.T) (info processInfo) {
	t.Helper()
	_, body, err := g.send(t.Context(), http.MethodGet, "/")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(body), &info), body)
	return info
}

// requireClosed fails if a process of the game still listens at its endpoint after
// waitTimeout. Another program can have the port in the meantime.
func (g gameClient) requireClosed(t *testing.T) {
	t.Helper()
	require.NotEmpty(t, g.endpoint)
	dialer := net.Dialer{Timeout: waitTimeout}
	eventually(t, "no process of the game listens at "+g.endpoint, func() bool {
		connection, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(g.endpoint, "http://"))
		if err != nil {
			return true
		}
		require.NoError(t, connection.Close())
		var info processInfo
		_, body, err := g.send(t.Context(), http.MethodGet, "/")
		return err == nil && (json.Unmarshal([]byte(body), &info) != nil || info.GameID != g.id)
	})
}
