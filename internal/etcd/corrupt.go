package etcd

import (
	"log/slog"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// CorruptLog logs stored values that cannot be decoded, each version of a value once: callers read
// the same values regularly. It is safe for concurrent use.
type CorruptLog struct {
	logger  *slog.Logger
	message string

	mu     sync.Mutex
	logged map[string]int64 // mod revision of the latest logged version by key
}

// NewCorruptLog returns a log whose lines have the message.
func NewCorruptLog(logger *slog.Logger, message string) *CorruptLog {
	return &CorruptLog{logger: logger, message: message, logged: map[string]int64{}}
}

// Add logs the key and the fault of a value, and not the value itself.
func (l *CorruptLog) Add(kv *mvccpb.KeyValue, fault error) {
	key := string(kv.GetKey())
	l.mu.Lock()
	isLogged := l.logged[key] == kv.GetModRevision()
	l.logged[key] = kv.GetModRevision()
	l.mu.Unlock()
	if !isLogged {
		l.logger.Error(l.message, "key", key, "error", fault)
	}
}
