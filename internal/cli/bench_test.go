package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/bench"
	"galaxy/rtmanager/internal/cli"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// smallBench returns the arguments of a short run, whose figures mean nothing.
func smallBench(more ...string) []string {
	return append([]string{"bench", "--records", "200", "--writers", "4", "--readers", "3", "--watchers", "5", "--duration", "50ms"}, more...)
}

// requireNoKeys requires that the etcd is empty.
func requireNoKeys(t *testing.T, client *clientv3.Client) {
	t.Helper()
	remaining, err := client.Get(context.WithoutCancel(t.Context()), "", clientv3.WithPrefix(), clientv3.WithCountOnly())
	require.NoError(t, err)
	require.Zero(t, remaining.Count, "keys that bench did not delete")
}

// Not parallel: it sets the temporary directory of the process.
func TestBenchWithItsOwnEtcd(t *testing.T) {
	if testing.Short() {
		t.Skip("needs etcd")
	}
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	got := run(t, "", smallBench()...)
	got.requireCode(t, 0, "bench")
	for _, name := range bench.RowNames() {
		require.Regexp(t, `(?m)^`+name+` +[0-9.]+× +[0-9.]+× to [0-9.]+× .*reached .*`, got.out, "row %s", name)
		require.Contains(t, got.out, "\n"+name+": ", "the description of row %s", name)
		require.Regexp(t, `(?m)^rtmanager: bench: `+name+`: .*target .*reached$`, got.err, "progress of row %s", name)
	}
	require.Contains(t, got.out, "embedded etcd; 200 records, 4 writers, 3 readers, 5 subscribers, 50ms per side")
	require.NotContains(t, got.err, "\x1b", "no line is rewritten in a pipe")
	remaining, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, remaining, "the temporary data directory must be removed")
}

func TestBenchOfAnExistingEtcd(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs etcd")
	}
	server := etcdtest.Start(t)
	got := run(t, "", smallBench("-o", "json", "--etcd-endpoints", server.Endpoint(), "--etcd-prefix", "/eu/")...)
	got.requireCode(t, 0, "bench")
	requireNoKeys(t, server.Client())
	require.Contains(t, got.err, "etcd at "+server.Endpoint())
	require.Contains(t, got.err, " under /eu/rtmanager-bench/", "the prefix of its keys")

	var report struct {
		Machine map[string]any               `json:"machine"`
		Options map[string]any               `json:"options"`
		Rows    []map[string]json.RawMessage `json:"rows"`
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &report), "printed %s", got.out)
	require.Equal(t, "external", report.Machine["etcd"])
	require.EqualValues(t, 200, report.Options["records"])
	require.Len(t, report.Rows, len(bench.RowNames()))
	for i, name := range bench.RowNames() {
		require.JSONEq(t, `"`+name+`"`, string(report.Rows[i]["name"]))
		for _, member := range []string{"what", "against", "target", "measured", "baseline", "unit", "ratio", "spread", "reached", "details"} {
			require.Contains(t, report.Rows[i], member, "row %s", name)
		}
	}
}

// interruptingWriter interrupts when the awaited text is written.
type interruptingWriter struct {
	mu        sync.Mutex
	text      bytes.Buffer
	awaited   string
	interrupt func()
}

func (w *interruptingWriter) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.text.Write(text)
	if strings.Contains(w.text.String(), w.awaited) {
		w.interrupt()
	}
	return n, err
}

func TestInterruptedBenchCleansUp(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs etcd")
	}
	server := etcdtest.Start(t)
	for _, awaited := range []string{"load 200 records", "update-rate …", "subscribers …"} {
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		errs := &interruptingWriter{awaited: awaited, interrupt: interrupt}
		args := smallBench("--etcd-endpoints", server.Endpoint(), "--duration", "1s", "--row", "update-rate", "--row", "subscribers")
		var out bytes.Buffer
		code := cli.Main(ctx, args, cli.Streams{Out: &out, Err: errs, LookupEnv: func(string) (string, bool) { return "", false }})
		require.Equal(t, 130, code, "interrupted at %q it printed\n%s", awaited, errs.text.String())
		require.Contains(t, errs.text.String(), "remove /rtmanager-bench/")
		requireNoKeys(t, server.Client())
	}
}

func TestInvalidFlagsOfBench(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--writers", "0"}, "--writers is 0; use 1 to"},
		{[]string{"--readers", "-1"}, "--readers is -1; use 1 to"},
		{[]string{"--watchers", "99999999"}, "--watchers is 99999999; use 1 to"},
		{[]string{"--records", "1"}, "--records is 1; use 10 to"},
		{[]string{"--records", "many"}, `--records "many" is invalid; use a whole number of at most 64 bits`},
		{[]string{"--duration", "0s"}, "--duration is 0s; use more than 0"},
		{[]string{"--duration", "5"}, `--duration "5" is invalid; use a duration with a unit, such as 90s or 2m`},
		{[]string{"--row", "speed"}, `--row "speed" is not a row; use one of update-latency`},
		{[]string{"--row", ""}, `--row "" is not a row`},
		{[]string{"--etcd-endpoints", ""}, "--etcd-endpoints is empty"},
		{[]string{"--etcd-endpoints", "localhost"}, `--etcd-endpoints: "localhost" is not a client URL`},
		{[]string{"--etcd-user", "ada"}, "--etcd-user and --etcd-password-file must be set together"},
		{[]string{"--etcd-cacert", "ca.pem"}, "require --etcd-endpoints"},
		{[]string{"--writers", "0", "--etcd-user", "ada"}, "--writers is 0; use 1 to 1000000\n  --etcd-cacert"},
		{[]string{"--against", "./store", "--row", "growth"}, "--row store has no row growth; use one of update-latency, update-rate, get-rate, list"},
		{[]string{"--against", ""}, "--against is empty"},
		{[]string{"--members", "0"}, "--members is 0; use 1 to 7"},
		{[]string{"--members", "8"}, "--members is 8; use 1 to 7"},
		{[]string{"--members", "3", "--etcd-endpoints", "http://127.0.0.1:1"}, "--members starts an etcd of its own; omit --etcd-endpoints"},
		{[]string{"game"}, `bench takes no arguments, got "game"`},
	} {
		got := run(t, "", append([]string{"bench"}, c.args...)...)
		got.requireCode(t, 2, c.args)
		require.Contains(t, got.err, c.want, "%q printed to stderr", c.args)
		require.Contains(t, got.err, "hint: see `rtmanager bench --help`\n", "%q printed to stderr", c.args)
		require.Empty(t, got.out)
	}
}

// A variable for daemons does not put load on a cluster.
func TestBenchIgnoresTheEnvironmentOfDaemons(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs etcd")
	}
	env := map[string]string{"RTMANAGER_ETCD_ENDPOINTS": unusedAddress, "RTMANAGER_CONFIG": "missing.yaml", "RTMANAGER_LISTEN": "x"}
	got := commandLine{args: smallBench("--row", "update-latency", "-o", "json"), env: env}.run(t.Context())
	got.requireCode(t, 0, "bench")
	require.Contains(t, got.out, `"etcd":"embedded"`)
}

func TestBenchOfAnUnreachableEtcd(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs etcd")
	}
	got := run(t, "", smallBench("--etcd-endpoints", unusedAddress, "--etcd-dial-timeout", "200ms")...)
	got.requireCode(t, 5, "bench")
	require.Contains(t, got.err, "no response within 200ms (--etcd-dial-timeout)")
	require.NotContains(t, got.err, "could not be removed")
	require.Empty(t, got.out)
}
