package cli_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/cli"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// nobody is an address at which no daemon can listen.
const nobody = "http://127.0.0.1:1"

var (
	noon     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tomorrow = noon.Add(24 * time.Hour)
)

// commandLine is one run in a pipe. Zero values are an empty input, an empty
// environment, an output that is kept, and a daemon that is not there.
type commandLine struct {
	args   []string
	server string
	env    map[string]string
	stdin  string
	stdout io.Writer
}

type result struct {
	out, err string
	code     int
}

func (c commandLine) run(ctx context.Context) result {
	var out, errs bytes.Buffer
	env := map[string]string{"RTMANAGER_SERVER": c.server, "USER": "ada"}
	if c.server == "" {
		env["RTMANAGER_SERVER"] = nobody
	}
	for name, value := range c.env {
		env[name] = value
	}
	var stdout io.Writer = &out
	if c.stdout != nil {
		stdout = c.stdout
	}
	code := cli.Main(ctx, c.args, cli.Streams{
		In: strings.NewReader(c.stdin), Out: stdout, Err: &errs,
		LookupEnv: func(name string) (string, bool) { value, ok := env[name]; return value, ok },
		Now:       func() time.Time { return tomorrow },
	})
	return result{out.String(), errs.String(), code}
}

func run(t *testing.T, server string, args ...string) result {
	t.Helper()
	return commandLine{args: args, server: server}.run(t.Context())
}

// requireCode fails with all that was printed.
func (r result) requireCode(t *testing.T, want int, done any) {
	t.Helper()
	require.Equal(t, want, r.code, "%q printed\n%s\nand complained\n%s", done, r.out, r.err)
}

// serving serves the handler until the test ends.
func serving(t *testing.T, handler http.Handler) (server string) {
	t.Helper()
	web := httptest.NewServer(handler)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	return web.URL
}

// api serves a store that holds the records.
func api(t *testing.T, records ...runtime.RuntimeRecord) (http.Handler, *memstore.Store) {
	t.Helper()
	store := memstore.New()
	for _, record := range records {
		require.NoError(t, store.Upsert(t.Context(), record))
	}
	server, _, err := servertest.New(store, servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n1"}, Local: &runner{}, Nodes: theNodes()[:1]})
	require.NoError(t, err)
	return server.Handler(), store
}

// game is a running game's record.
func game(id string) runtime.RuntimeRecord {
	return runtime.RuntimeRecord{
		GameID: id, Status: runtime.StatusRunning, CurrentContainerID: "c1", CreatedAt: noon, LastOpAt: noon, StartedAt: &noon,
	}
}

// stopped is a stopped game's record.
func stopped(id string) runtime.RuntimeRecord {
	record := game(id)
	record.Status, record.StoppedAt = runtime.StatusStopped, &noon
	return record
}

// file writes a file and returns its name.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
