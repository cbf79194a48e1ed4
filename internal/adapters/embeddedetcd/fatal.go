package embeddedetcd

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// ErrOldData is the error of a member whose log lacks entries that it has confirmed to the others
// before. It must not continue: the others count on these entries.
var ErrOldData = errors.New("the data is an earlier copy of that of its member; use the current data, or if that is lost, replace the member")

// fatalLogger turns the log lines with which etcd ends or panics the process into errors,
// so that the daemon can end its streams and report the reason.
type fatalLogger struct {
	// failed receives the first error; it has a buffer.
	failed chan error
	// isLogBroken is set once etcd could not allocate its next log file. etcd then fails
	// when its present log file is full, even if there is space by then.
	isLogBroken atomic.Bool
	// isRemoved is set once other members have reported that they have removed this one.
	isRemoved atomic.Bool
	// removed is called before etcd stops because of that; etcd continues when it returns.
	removed func()
}

func newFatalLogger() *fatalLogger { return &fatalLogger{failed: make(chan error, 1)} }

// wrap returns the logger for etcd.
func (l *fatalLogger) wrap(logger *zap.Logger) *zap.Logger {
	return logger.WithOptions(zap.WithFatalHook(l), zap.WithPanicHook(l), zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewTee(core, observingCore{l}) // also of lines below the level of the log
	}))
}

// observingCore passes the warnings and errors of etcd to a fatalLogger.
type observingCore struct{ *fatalLogger }

// Enabled implements zapcore.LevelEnabler.
func (observingCore) Enabled(level zapcore.Level) bool { return level >= zapcore.WarnLevel }

// With implements zapcore.Core.
func (c observingCore) With([]zapcore.Field) zapcore.Core { return c }

// Check implements zapcore.Core.
func (c observingCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write implements zapcore.Core.
func (c observingCore) Write(entry zapcore.Entry, _ []zapcore.Field) error {
	c.observe(entry)
	return nil
}

// Sync implements zapcore.Core.
func (observingCore) Sync() error { return nil }

// OnWrite implements zapcore.CheckWriteHook. It does not return, because etcd does not
// expect that: the goroutine of etcd stops before it does anything else.
func (l *fatalLogger) OnWrite(entry *zapcore.CheckedEntry, fields []zapcore.Field) {
	err := lineError(entry.Message, fields)
	if strings.HasPrefix(entry.Message, "tocommit(") {
		err = fmt.Errorf("%w (%w)", ErrOldData, err)
	}
	l.fail(err)
	select {}
}

// fail reports the error, unless there was one before.
func (l *fatalLogger) fail(err error) {
	select {
	case l.failed <- err:
	default:
	}
}

// observe detects a log file that could not be allocated, and the removal of the member. No function
// of etcd reports them.
func (l *fatalLogger) observe(entry zapcore.Entry) {
	switch entry.Message {
	case "failed to preallocate space when creating a new WAL":
		l.isLogBroken.Store(true)
	case "data-dir used by this member must be removed":
		l.isRemoved.Store(true)
		if l.removed != nil {
			l.removed()
		}
	}
}

// lineError returns the message of a log line with its error and its path.
func lineError(message string, fields []zapcore.Field) error {
	err := errors.New(message)
	for _, field := range fields {
		switch value, isError := field.Interface.(error); {
		case field.Type == zapcore.ErrorType && isError:
			err = fmt.Errorf("%w: %w", err, value)
		case field.Type == zapcore.StringType && field.Key == "path":
			err = fmt.Errorf("%w (%s)", err, field.String)
		}
	}
	return err
}

// segmentBytes is the size of etcd's log files. A member always has two of them. etcd's
// default of 64 MiB would fill a small disk.
const segmentBytes = 16 << 20

// SetSegmentSize sets the size of the log files of every etcd in this process. Start calls
// it; a program that starts etcd by itself as well calls it before, because etcd reads the
// variable without a lock.
func SetSegmentSize() { setSegmentSize() }

var setSegmentSize = sync.OnceFunc(func() { wal.SegmentSizeBytes = segmentBytes })
