package daemon_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// TestMain ignores the idle connections between members of a cluster, which etcd leaves to their
// timeouts.
func TestMain(m *testing.M) {
	os.Exit(etcdtest.Main(m, goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("net/http.(*connReader).backgroundRead"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop")))
}

// timeout bounds every wait of a test. It is far longer than any wait takes.
const timeout = 90 * time.Second

// newSettings returns the settings of a daemon on free ports and a new directory.
func newSettings(t testing.TB) config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir = t.TempDir()
	cfg.Listen = "127.0.0.1:0"
	cfg.EtcdListenClient = "http://127.0.0.1:0"
	return cfg
}

// externalSettings returns the settings of a daemon on an external etcd.
func externalSettings(t *testing.T, endpoints ...string) config.Config {
	t.Helper()
	cfg := newSettings(t)
	cfg.DataDir = ""
	cfg.EtcdEndpoints = endpoints
	cfg.EtcdPrefix = etcdtest.Prefix(t)
	return cfg
}

// runningDaemon is a daemon in this process.
type runningDaemon struct {
	daemon.Ready
	client *httpclient.Client
	stop   func() error // waits for the end; may be called more than once
}

// start runs a daemon until the test ends or stops it.
func start(t testing.TB, cfg config.Config) *runningDaemon {
	t.Helper()
	return startLogged(t, cfg, slog.New(slog.DiscardHandler))
}

// startLogged is start with a log.
func startLogged(t testing.TB, cfg config.Config, logger *slog.Logger) *runningDaemon {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready := make(chan daemon.Ready, 1)
	done := make(chan struct{})
	var result error
	go func() {
		defer close(done)
		result = daemon.Run(ctx, cfg, "test", logger, func(r daemon.Ready) { ready <- r })
	}()
	r := &runningDaemon{stop: func() error {
		cancel()
		<-done
		return result
	}}
	t.Cleanup(func() { require.NoError(t, r.stop()) })
	select {
	case r.Ready = <-ready:
	case <-done:
		require.NoError(t, result)
		require.Fail(t, "the daemon ended before it was ready")
	}
	client, err := httpclient.New(r.API, httpclient.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	r.client = client
	return r
}

// startError runs a daemon that must not start, and returns its error.
func startError(t *testing.T, cfg config.Config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	err := daemon.Run(ctx, cfg, "test", slog.New(slog.DiscardHandler), func(daemon.Ready) {
		assert.Fail(t, "the daemon is ready")
	})
	require.Error(t, err)
	return err
}

func record(gameID string) runtime.RuntimeRecord {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, CurrentContainerID: "c1",
		CreatedAt: at, LastOpAt: at, StartedAt: &at,
	}
}

func stop(gameID string) ports.UpdateStatusInput {
	return ports.UpdateStatusInput{
		GameID: gameID, ExpectedFrom: runtime.StatusRunning, To: runtime.StatusStopped, Now: time.Now(),
	}
}

// statusOf returns the status code of a GET.
func statusOf(t require.TestingT, url string) int {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestEmbeddedDaemonKeepsItsRecordsAcrossRuns(t *testing.T) {
	t.Parallel()
	cfg := newSettings(t)
	first := start(t, cfg)
	require.NoError(t, first.client.Upsert(t.Context(), record("game")))
	require.NoError(t, first.stop())

	second := start(t, cfg)
	require.Equal(t, first.Store, second.Store, "the identity of the store does not change")
	got, err := second.client.Get(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, record("game"), got)
}

// --insecure opens the API to other machines. It must not open the loopback addresses to
// web pages in a browser on this machine.
func TestInsecureOnLoopbackRejectsForeignHosts(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]int{"127.0.0.1:0": http.StatusMisdirectedRequest, "0.0.0.0:0": http.StatusOK} {
		cfg := newSettings(t)
		cfg.Listen, cfg.Insecure = listen, true
		d := start(t, cfg)
		_, port, err := net.SplitHostPort(strings.TrimPrefix(d.API, "http://"))
		require.NoError(t, err)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+"/healthz", nil)
		require.NoError(t, err)
		request.Host, request.Close = "games.example", true
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, want, response.StatusCode, "--listen %s", listen)
	}
}

// The sockets of a killed daemon may stay open for a short time, in a child that it was
// forking.
func TestAddressThatIsReleasedSoon(t *testing.T) {
	t.Parallel()
	inUse, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	cfg := newSettings(t)
	cfg.Listen = inUse.Addr().String()
	time.AfterFunc(200*time.Millisecond, func() { _ = inUse.Close() })
	require.Equal(t, "http://"+cfg.Listen, start(t, cfg).API)
}

func TestAddressInUseFailsBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	inUse, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer inUse.Close()
	cfg := newSettings(t)
	cfg.Listen = inUse.Addr().String()

	err = startError(t, cfg)
	require.ErrorContains(t, err, "cannot listen on "+cfg.Listen)
	require.ErrorContains(t, err, "--listen")
	entries, err := os.ReadDir(cfg.DataDir)
	require.NoError(t, err)
	require.Empty(t, entries, "the data directory is not changed")
}

func TestInvalidSettings(t *testing.T) {
	t.Parallel()
	cfg := newSettings(t)
	cfg.Listen, cfg.Engine = "0.0.0.0:0", "podman"
	err := startError(t, cfg)
	require.ErrorContains(t, err, "--listen")
	require.ErrorContains(t, err, "--engine")
}
