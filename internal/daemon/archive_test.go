package daemon_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Deletions of the API and of retention archive the game first, at both places. While the archive
// does not accept games, none is deleted.
func TestArchiveOfADaemon(t *testing.T) {
	t.Parallel()
	var isDown atomic.Bool
	var received atomic.Int64
	isDown.Store(true)
	webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if isDown.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		received.Add(int64(bytes.Count(body, []byte("\n"))))
	}))
	defer webhook.Close()
	cfg := nodeSettings(t, "n1")["n1"]
	dir := filepath.Join(t.TempDir(), "archive")
	require.NoError(t, os.Mkdir(dir, 0o700))
	cfg.ArchiveFile, cfg.ArchiveURL, cfg.RemovedRetention = filepath.Join(dir, "games.ndjson"), webhook.URL+"/secret", time.Second
	d := start(t, cfg)
	for _, gameID := range []string{"manual", "retained"} {
		_, err := d.startGame(t, gameID, "")
		require.NoError(t, err)
	}
	forced := ports.DeleteInput{GameID: "manual", Origin: ports.Origin{Actor: "ada", OperationID: "op-1"}}
	require.ErrorIs(t, d.client.ForceDelete(t.Context(), forced), runtime.ErrNotArchived)
	found, err := d.client.GetVersioned(t.Context(), "manual")
	require.NoError(t, err)
	require.Equal(t, runtime.StatusRemoved, found.Record.Status)

	isDown.Store(false)
	require.NoError(t, d.client.ForceDelete(t.Context(), forced))
	for _, kind := range stopAndCleanUp {
		_, err := d.client.RunOperation(t.Context(), operationOn("retained", kind), nil)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		_, err := d.client.GetVersioned(t.Context(), "retained")
		return err != nil
	}, timeout, timeout/1000)
	require.Equal(t, int64(2), received.Load())

	files, err := filepath.Glob(filepath.Join(dir, "games-*.ndjson"))
	require.NoError(t, err)
	actors := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for document := range bytes.Lines(text) {
			var line struct {
				GameID, Actor string
				Spec          struct{ Image string }
				History       []runtime.LedgerEntry
			}
			require.NoError(t, json.Unmarshal(bytes.ReplaceAll(document, []byte("game_id"), []byte("gameid")), &line))
			require.Equal(t, "game:1", line.Spec.Image)
			require.Len(t, line.History, 3)
			actors[line.GameID] = line.Actor
		}
	}
	require.Equal(t, map[string]string{"manual": "ada", "retained": "retention"}, actors)
}

func TestUnsafeArchive(t *testing.T) {
	t.Parallel()
	cfg := nodeSettings(t, "n1")["n1"]
	cfg.Engine = config.EngineNone
	dir := filepath.Join(t.TempDir(), "archive")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chmod(dir, 0o777))
	cfg.ArchiveFile = filepath.Join(dir, "games.ndjson")
	require.ErrorContains(t, startError(t, cfg), "--archive-file")
}
