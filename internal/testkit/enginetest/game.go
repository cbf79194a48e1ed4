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

// BuildGame builds cmd/gameserver as a static program at the path, which says that
// it is of this version.
func BuildGame(ctx context.Context, path, version string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w -X main.version="+version, "-o", path, "galaxy/rtmanager/cmd/gameserver")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the game server: %w: %s", err, out)
	}
	return nil
}

// running is a game that answers at the endpoint of its container.
type running struct{ id, endpoint string }

func game(c container.Container) running { return running{id: c.Labels.GameID, endpoint: c.Endpoint} }

// client keeps no connection, so that every request shows who listens now.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// ask sends one request. An error says that nobody answered.
func (g running) ask(ctx context.Context, method, path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, g.endpoint+path, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(content), err
}

// ready waits until the game is healthy.
func (g running) ready(t *testing.T) {
	t.Helper()
	require.NotEmpty(t, g.endpoint, "a game that runs has an endpoint")
	eventually(t, "the game answers at "+g.endpoint, func() bool {
		status, _, err := g.ask(t.Context(), http.MethodGet, "/healthz")
		return err == nil && status == http.StatusOK
	})
}

// post sends a request that may end the game before it answers.
func (g running) post(t *testing.T, path string) {
	t.Helper()
	status, body, err := g.ask(t.Context(), http.MethodPost, path)
	if err == nil {
		require.Equal(t, http.StatusOK, status, body)
	}
}

func (g running) say(t *testing.T, text string, times int) {
	t.Helper()
	status, body, err := g.ask(t.Context(), http.MethodPost, fmt.Sprintf("/log?text=%s&times=%d", url.QueryEscape(text), times))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, body)
}

// variable returns a variable of the game's environment, and whether it has it.
func (g running) variable(t *testing.T, name string) (string, bool) {
	t.Helper()
	status, body, err := g.ask(t.Context(), http.MethodGet, "/env?name="+url.QueryEscape(name))
	require.NoError(t, err)
	return body, status == http.StatusOK
}

// identity is what a game says of itself.
type identity struct {
	Version string   `json:"version"`
	PID     int      `json:"pid"`
	Uptime  float64  `json:"uptime_seconds"`
	Args    []string `json:"args"`
	GameID  string   `json:"game_id"`
}

func (g running) identity(t *testing.T) (who identity) {
	t.Helper()
	_, body, err := g.ask(t.Context(), http.MethodGet, "/")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(body), &who), body)
	return who
}

// requireSilent fails unless soon nothing of the game listens at its endpoint. Another
// program may have the port by then.
func (g running) requireSilent(t *testing.T) {
	t.Helper()
	require.NotEmpty(t, g.endpoint)
	dialer := net.Dialer{Timeout: patience}
	eventually(t, "nothing of the game listens at "+g.endpoint, func() bool {
		connection, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(g.endpoint, "http://"))
		if err != nil {
			return true
		}
		require.NoError(t, connection.Close())
		var who identity
		_, body, err := g.ask(t.Context(), http.MethodGet, "/")
		return err == nil && (json.Unmarshal([]byte(body), &who) != nil || who.GameID != g.id)
	})
}
