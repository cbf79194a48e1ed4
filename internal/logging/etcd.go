package logging

import (
	"context"
	"log/slog"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// ForEtcd returns a logger for an etcd server or client that writes to logger with
// component=etcd. Info lines of etcd become debug lines, since they are details for an
// operator of this daemon. Debug lines of etcd are dropped. Warnings and errors keep their
// level, except those in harmless, which become debug lines.
func ForEtcd(logger *slog.Logger) *zap.Logger {
	return zap.New(&core{handler: logger.Handler().WithAttrs([]slog.Attr{slog.String("component", "etcd")})})
}

// harmless holds the lines that a clean start or close of an embedded etcd logs as a warning
// or an error. A line is harmless if its message is a key and its error contains one of the
// texts; a key without texts matches every error.
var harmless = map[string][]string{
	// Chosen settings: loopback only, and no authentication.
	"Running http and grpc server on single port. This is not recommended for production.": nil,
	"simple token is not cryptographically signed":                                         nil,
	// The version of a new data directory is not known in its first seconds.
	"failed to update storage version": {"cannot detect storage schema version"},
	// Repeated several times a second while a member has no leader, which the daemon logs itself.
	"waiting for ReadIndex response took too long, retrying": nil,
	"prober detected unhealthy status":                       nil,
	// A join that waits, which the daemon that joins logs.
	"Validation on configuration change failed": {"too many learner members in cluster"},
	"rejecting member add request; local member has not been connected to majority peers, reconfigure breaks active quorum": nil,
	"Failed to detect schema version": {"missing term information"},
	// Listeners that end because they were closed.
	"setting up serving from embedded etcd failed.": closedListener,
	"stopping insecure grpc server due to error":    closedListener,
	"stopped insecure grpc server due to error":     closedListener,
	"stopping secure grpc server due to error":      closedListener,
	"stopped secure grpc server due to error":       closedListener,
}

var closedListener = []string{"mux: server closed", "http: Server closed", "use of closed network connection"}

// core is a zapcore.Core that writes to a slog.Handler.
type core struct{ handler slog.Handler }

// Enabled implements zapcore.LevelEnabler.
func (c *core) Enabled(level zapcore.Level) bool {
	return level >= zapcore.InfoLevel && c.handler.Enabled(context.Background(), slogLevel(level))
}

// With implements zapcore.Core.
func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{handler: c.handler.WithAttrs(attrs(fields))}
}

// Check implements zapcore.Core.
func (c *core) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write implements zapcore.Core. It writes the line to the slog handler.
func (c *core) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	level := slogLevel(entry.Level)
	if isHarmless(entry.Message, fields) {
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if !c.handler.Enabled(ctx, level) {
		return nil
	}
	record := slog.NewRecord(entry.Time, level, entry.Message, 0)
	record.AddAttrs(attrs(fields)...)
	return c.handler.Handle(ctx, record)
}

// Sync implements zapcore.Core. It does nothing, because slog handlers do not buffer.
func (c *core) Sync() error { return nil }

func slogLevel(level zapcore.Level) slog.Level {
	switch {
	case level <= zapcore.InfoLevel:
		return slog.LevelDebug
	case level == zapcore.WarnLevel:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

// isHarmless reports whether harmless contains the line.
func isHarmless(message string, fields []zapcore.Field) bool {
	texts, isListed := harmless[message]
	if !isListed || texts == nil {
		return isListed
	}
	for _, field := range fields {
		err, ok := field.Interface.(error)
		if !ok || field.Type != zapcore.ErrorType {
			continue
		}
		for _, text := range texts {
			if strings.Contains(err.Error(), text) {
				return true
			}
		}
	}
	return false
}

// attrs converts the zap fields, in order.
func attrs(fields []zapcore.Field) []slog.Attr {
	converted := make([]slog.Attr, 0, len(fields))
	for _, field := range fields {
		encoder := zapcore.NewMapObjectEncoder()
		field.AddTo(encoder)
		if value, ok := encoder.Fields[field.Key]; ok {
			converted = append(converted, slog.Any(field.Key, value))
		}
	}
	return converted
}
