package archive_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/adapters/archive"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/ports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

type line struct {
	ID       string                `json:"id"`
	GameID   string                `json:"game_id"`
	Revision int64                 `json:"revision"`
	Actor    string                `json:"actor"`
	Record   runtime.RuntimeRecord `json:"record"`
	Spec     *operation.Spec       `json:"spec"`
	History  []runtime.LedgerEntry `json:"history"`
}

func decode(t *testing.T, text string) []line {
	t.Helper()
	var lines []line
	for _, document := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		var l line
		require.NoError(t, json.Unmarshal([]byte(document), &l), "%q", document)
		lines = append(lines, l)
	}
	return lines
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func secureDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "archive")
	require.NoError(t, os.Mkdir(dir, 0o700))
	return dir
}

func open(t *testing.T, cfg archive.Config) *archive.Archive {
	t.Helper()
	if cfg.Clock == nil {
		cfg.Clock = func() time.Time { return noon }
	}
	cfg.Store = "store-1"
	a, err := archive.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

func game(gameID string) ports.ArchivedGame {
	return ports.ArchivedGame{
		Record: runtime.VersionedRecord{Revision: 7, Record: runtime.RuntimeRecord{
			GameID: gameID, Status: runtime.StatusRemoved, Labels: map[string]string{"env": "prod"}, RemovedAt: &noon,
		}},
		Intent:  operation.Intent{Spec: operation.Spec{Image: "game:1", Secrets: []string{"license"}}},
		History: []runtime.LedgerEntry{{Seq: 2, To: runtime.StatusRemoved}, {Seq: 1, To: runtime.StatusRunning}},
		Origin:  ports.Origin{Actor: "ada"},
	}
}

func TestGamesAreInTheFileOfTheDay(t *testing.T) {
	t.Parallel()
	dir := secureDir(t)
	now := noon
	a := open(t, archive.Config{File: filepath.Join(dir, "games.ndjson"), Clock: func() time.Time { return now }})
	require.NoError(t, a.Store(t.Context(), game("a\nb")))
	now = noon.Add(24 * time.Hour)
	require.NoError(t, a.Store(t.Context(), game("c")))

	lines := decode(t, readFile(t, filepath.Join(dir, "games-2026-11-30.ndjson")))
	require.Len(t, lines, 1)
	l := lines[0]
	require.Equal(t, "store-1/7/a\nb", l.ID)
	require.Equal(t, "ada", l.Actor)
	require.Equal(t, map[string]string{"env": "prod"}, l.Record.Labels)
	require.Equal(t, []string{"license"}, l.Spec.Secrets, "names, without values")
	require.Len(t, l.History, 2)
	next := filepath.Join(dir, "games-2026-12-01.ndjson")
	require.Len(t, decode(t, readFile(t, next)), 1)
	info, err := os.Stat(next)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Equal(t, archive.Stats{Archived: 2}, a.Stats())
}

// A crash leaves an incomplete line, which does not affect the next one.
func TestIncompleteLine(t *testing.T) {
	t.Parallel()
	dir := secureDir(t)
	path := filepath.Join(dir, "games-2026-11-30.ndjson")
	require.NoError(t, os.WriteFile(path, []byte(`{"id":"sto`), 0o600))
	a := open(t, archive.Config{File: filepath.Join(dir, "games.ndjson")})
	require.NoError(t, a.Store(t.Context(), game("a")))
	require.NoError(t, a.Store(t.Context(), game("b")))
	torn, whole, _ := strings.Cut(readFile(t, path), "\n")
	require.Equal(t, `{"id":"sto`, torn)
	require.Len(t, decode(t, whole), 2)
}

func TestUnusableFiles(t *testing.T) {
	t.Parallel()
	dir := secureDir(t)
	path := filepath.Join(dir, "games.ndjson")
	a := open(t, archive.Config{File: path})
	_, err := archive.Open(archive.Config{File: path})
	require.ErrorIs(t, err, filelock.ErrLocked)
	day := filepath.Join(dir, "games-2026-11-30.ndjson")
	require.NoError(t, os.WriteFile(day, nil, 0o600))
	require.NoError(t, os.Chmod(day, 0o666))
	require.ErrorIs(t, a.Store(t.Context(), game("a")), runtime.ErrNotArchived)
	require.Empty(t, readFile(t, day))
	require.NoError(t, os.Chmod(day, 0o600))
	require.NoError(t, a.Store(t.Context(), game("a")))
	require.Equal(t, archive.Stats{Archived: 1, Failures: 1}, a.Stats())

	writable := secureDir(t)
	require.NoError(t, os.Chmod(writable, 0o777))
	_, err = archive.Open(archive.Config{File: filepath.Join(writable, "games.ndjson")})
	require.ErrorContains(t, err, "other users can write")
}

func TestConcurrentGamesShareRequests(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	var mu sync.Mutex
	var received strings.Builder
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/x-ndjson" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		received.Write(body)
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(server.Close)
	dir := secureDir(t)
	a := open(t, archive.Config{URL: server.URL + "/?token=secret", File: filepath.Join(dir, "games.ndjson")})
	const count = 1000
	var callers sync.WaitGroup
	for i := range count {
		callers.Go(func() {
			if err := a.Store(t.Context(), game(fmt.Sprintf("game-%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	require.Less(t, requests.Load(), int64(count/2))
	for name, text := range map[string]string{"webhook": received.String(), "file": readFile(t, filepath.Join(dir, "games-2026-11-30.ndjson"))} {
		ids := map[string]bool{}
		for _, l := range decode(t, text) {
			ids[l.ID] = true
		}
		require.Len(t, ids, count, name)
	}
}

// A game that the endpoint rejects does not keep the others in the store. A game is in the file
// only if the endpoint has accepted it.
func TestOneRejectedGame(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "poison") {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	t.Cleanup(server.Close)
	dir := secureDir(t)
	a := open(t, archive.Config{URL: server.URL, File: filepath.Join(dir, "games.ndjson")})
	var callers sync.WaitGroup
	for i := range 50 {
		callers.Go(func() {
			gameID := fmt.Sprintf("game-%d", i)
			if i == 17 {
				gameID = "poison"
			}
			err := a.Store(t.Context(), game(gameID))
			if isRejected := err != nil; isRejected != (i == 17) {
				t.Errorf("%s: %v", gameID, err)
			}
		})
	}
	callers.Wait()
	require.Len(t, decode(t, readFile(t, filepath.Join(dir, "games-2026-11-30.ndjson"))), 49)
}

func TestUnavailableEndpoint(t *testing.T) {
	t.Parallel()
	status := atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := int(status.Load()); code == http.StatusFound {
			http.Redirect(w, r, "https://example.invalid/", code)
		} else {
			w.WriteHeader(code)
		}
	}))
	t.Cleanup(server.Close)
	a := open(t, archive.Config{URL: server.URL + "/secret"})
	for _, code := range []int{http.StatusServiceUnavailable, http.StatusUnauthorized, http.StatusFound, http.StatusBadRequest} {
		status.Store(int64(code))
		err := a.Store(t.Context(), game("a"))
		require.ErrorIs(t, err, runtime.ErrNotArchived, code)
		require.NotContains(t, err.Error(), "secret")
	}
	status.Store(http.StatusNoContent)
	require.NoError(t, a.Store(t.Context(), game("a")))
	server.Close()
	err := a.Store(t.Context(), game("a"))
	require.ErrorIs(t, err, runtime.ErrNotArchived)
	require.NotContains(t, err.Error(), "secret")
}
