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

// unusedAddress is an address at which no daemon can listen.
const unusedAddress = "http://127.0.0.1:1"

var (
	noon     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tomorrow = noon.Add(24 * time.Hour)
)

// commandLine is one run in a pipe. The zero values are an empty input, an empty
// environment, an output that run returns, and the address of no daemon.
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
		env["RTMANAGER_SERVER"] = unusedAddress
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

// requireCode requires the exit code; a failure shows everything that was printed.
func (r result) requireCode(t *testing.T, want int, done any) {
	t.Helper()
	require.Equal(t, want, r.code, "%q printed\n%s\nand to stderr\n%s", done, r.out, r.err)
}

// serveHandler serves the handler until the test ends.
func serveHandler(t *testing.T, handler http.Handler) (server string) {
	t.Helper()
	web := httptest.NewServer(handler)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	return web.URL
}

// newAPI returns the API of a store with the records.
func newAPI(t *testing.T, records ...runtime.RuntimeRecord) (http.Handler, *memstore.Store) {
	t.Helper()
	store := memstore.New()
	for _, record := range records {
		require.NoError(t, store.Upsert(t.Context(), record))
	}
	server, _, err := servertest.New(store, servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n1"}, Local: &fakeManager{}, Nodes: testNodes()[:1]})
	require.NoError(t, err)
	return server.Handler(), store
}

// runningRecord returns the record of a running game.
func runningRecord(id string) runtime.RuntimeRecord {
	return runtime.RuntimeRecord{
		GameID: id, Status: runtime.StatusRunning, CurrentContainerID: "c1", CreatedAt: noon, LastOpAt: noon, StartedAt: &noon,
	}
}

// stoppedRecord returns the record of a stopped game.
func stoppedRecord(id string) runtime.RuntimeRecord {
	record := runningRecord(id)
	record.Status, record.StoppedAt = runtime.StatusStopped, &noon
	return record
}

// writeFile writes a file and returns its name.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
