package auditlog_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/adapters/auditlog"
	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/testkit/audittest"
	"galaxy/rtmanager/internal/testkit/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testTimeout = 30 * time.Second
	tick        = 5 * time.Millisecond
)

// fixture is a running log with a file.
type fixture struct {
	*auditlog.Log
	path   string
	logged *logtest.Buffer
	stop   func() // ends Run and closes the file; it may be called more than once
}

// secureDir returns a directory that no other user can write to.
func secureDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "audit")
	require.NoError(t, os.Mkdir(dir, 0o700))
	return dir
}

func start(t testing.TB, cfg auditlog.FileConfig, webhook *auditlog.Webhook) *fixture {
	t.Helper()
	logged := &logtest.Buffer{}
	if cfg.Path == "" {
		cfg.Path = filepath.Join(secureDir(t), "audit.log")
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 20
	}
	if cfg.MaxFiles == 0 {
		cfg.MaxFiles = 3
	}
	cfg.Logger = slog.New(slog.NewTextHandler(logged, nil))
	file, err := auditlog.OpenFile(cfg)
	require.NoError(t, err)
	log := auditlog.New(file, webhook)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, file.Close())
	})
	t.Cleanup(stop)
	return &fixture{Log: log, path: cfg.Path, logged: logged, stop: stop}
}

// append stores an event, which must succeed.
func (f *fixture) append(t testing.TB, event audit.Event) {
	t.Helper()
	require.NoError(t, f.Append(t.Context(), event))
}

func (f *fixture) read(t testing.TB) []audit.Event {
	t.Helper()
	return audittest.Read(t, f.path)
}

func ids(events []audit.Event) []string {
	var ids []string
	for _, event := range events {
		ids = append(ids, event.RequestID)
	}
	return ids
}

func succeeded(id string) audit.Event {
	return audit.Event{
		Time: time.Now().UTC(), Stage: audit.StageCompleted, RequestID: id, Node: "eu/n1", Actor: "user:anna", AuthMethod: "certificate",
		RemoteAddr: "10.0.0.1", Action: "stop-runtime", HTTPMethod: "POST", GameID: "game-1", Outcome: audit.OutcomeSucceeded, Status: 200,
	}
}

func deniedTo(address, id string) audit.Event {
	event := succeeded(id)
	event.RemoteAddr, event.Actor, event.Outcome, event.Status, event.Code = address, "", audit.OutcomeDenied, 401, "unauthenticated"
	return event
}
