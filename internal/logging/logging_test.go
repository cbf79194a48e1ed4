package logging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/logging"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	for format, start := range map[string]string{logging.FormatAuto: "{", logging.FormatJSON: "{", logging.FormatText: "time="} {
		var out bytes.Buffer
		logger, err := logging.New(&out, slog.LevelInfo, format)
		require.NoError(t, err)
		logger.Debug("unseen")
		logger.Info("seen")
		require.Equal(t, 1, strings.Count(out.String(), "\n"), "format %s wrote %q", format, out.String())
		require.True(t, strings.HasPrefix(out.String(), start), "format %s wrote %q", format, out.String())
	}
	_, err := logging.New(&bytes.Buffer{}, slog.LevelInfo, "xml")
	require.ErrorContains(t, err, `"xml"`)
}

func TestAFileIsNotATerminal(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer f.Close()
	logger, err := logging.New(f, slog.LevelInfo, logging.FormatAuto)
	require.NoError(t, err)
	logger.Info("seen")
	content, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	require.True(t, json.Valid(content), "wrote %q", content)
}

// etcdLine logs through the bridge at debug level and returns the line, or nil.
func etcdLine(t *testing.T, log func(*zap.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	logger, err := logging.New(&out, slog.LevelDebug, logging.FormatJSON)
	require.NoError(t, err)
	log(logging.ForEtcd(logger))
	if out.Len() == 0 {
		return nil
	}
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), "wrote %q", out.String())
	return line
}

func TestEtcdLevels(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		log  func(*zap.Logger)
		want any
	}{
		"debug is dropped":     {func(l *zap.Logger) { l.Debug("x") }, nil},
		"info becomes debug":   {func(l *zap.Logger) { l.Info("x") }, "DEBUG"},
		"warnings are kept":    {func(l *zap.Logger) { l.Warn("x") }, "WARN"},
		"errors are kept":      {func(l *zap.Logger) { l.Error("x") }, "ERROR"},
		"a closed listener":    {serving("accept tcp 127.0.0.1:1: use of closed network connection"), "DEBUG"},
		"a closed mux":         {serving("mux: server closed"), "DEBUG"},
		"a closed server":      {serving("http: Server closed"), "DEBUG"},
		"a broken listener":    {serving("accept tcp 127.0.0.1:1: too many open files"), "ERROR"},
		"serving, no reason":   {func(l *zap.Logger) { l.Error("setting up serving from embedded etcd failed.") }, "ERROR"},
		"first start":          {storageVersion("cannot detect storage schema version: missing confstate information"), "DEBUG"},
		"storage version, bad": {storageVersion("disk on fire"), "ERROR"},
		"single port": {func(l *zap.Logger) {
			l.Warn("Running http and grpc server on single port. This is not recommended for production.")
		}, "DEBUG"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, etcdLine(t, c.log)["level"])
		})
	}
}

func serving(reason string) func(*zap.Logger) {
	return func(l *zap.Logger) {
		l.Error("setting up serving from embedded etcd failed.", zap.Error(errors.New(reason)))
	}
}

func storageVersion(reason string) func(*zap.Logger) {
	return func(l *zap.Logger) { l.Error("failed to update storage version", zap.Error(errors.New(reason))) }
}

func TestEtcdFields(t *testing.T) {
	t.Parallel()
	line := etcdLine(t, func(l *zap.Logger) {
		l.With(zap.String("member", "m1")).Warn("slow", zap.Duration("took", time.Second), zap.Strings("urls", []string{"a", "b"}), zap.Error(errors.New("late")))
	})
	delete(line, "time")
	require.Equal(t, map[string]any{
		"level": "WARN", "msg": "slow", "component": "etcd", "member": "m1",
		"took": 1e9, "urls": []any{"a", "b"}, "error": "late",
	}, line)
}

func TestEtcdRespectsTheLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger, err := logging.New(&out, slog.LevelInfo, logging.FormatJSON)
	require.NoError(t, err)
	etcd := logging.ForEtcd(logger)
	etcd.Info("unseen")
	serving("mux: server closed")(etcd)
	require.Empty(t, out.String())
}
