package tlsfiles

import (
	"log/slog"
	"sync"
	"time"
)

// checkInterval is the time for which files are not read a second time.
const checkInterval = time.Second

// State describes the files of a KeyPair or a Pool.
type State struct {
	// File is the file of the certificates.
	File string
	// NotBefore and NotAfter bound the validity of the content in use: that of the leaf
	// certificate, or the latest start and earliest end among authorities.
	NotBefore, NotAfter time.Time
	// Err is why the current files cannot be used, nil if they are in use.
	Err error
	// Failures counts the readings that returned an error.
	Failures int64
}

// source reads files and keeps the last content that could be used. It is safe for
// concurrent use.
type source[T any] struct {
	file string // for messages
	load func() (T, error)
	// isSame reports whether two contents are equal.
	isSame func(a, b T) bool
	logger *slog.Logger
	now    func() time.Time

	mu        sync.Mutex
	content   T
	checkedAt time.Time
	err       error // of the last reading
	failures  int64
}

// newSource reads the files for the first time. Then they must be usable. A nil logger
// discards messages.
func newSource[T any](file string, load func() (T, error), isSame func(a, b T) bool, logger *slog.Logger) (*source[T], error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	content, err := load()
	if err != nil {
		return nil, err
	}
	return &source[T]{file: file, load: load, isSame: isSame, logger: logger, now: time.Now, content: content, checkedAt: time.Now()}, nil
}

// current returns the content in use. It reads the files if the last reading is older than
// checkInterval.
func (s *source[T]) current() T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); now.Sub(s.checkedAt) >= checkInterval || now.Before(s.checkedAt) {
		s.checkedAt = now
		s.reload()
	}
	return s.content
}

// reload reads the files. After an error it keeps the previous content. The caller holds mu.
func (s *source[T]) reload() {
	content, err := s.load()
	switch {
	case err == nil:
		if s.err != nil || !s.isSame(s.content, content) {
			s.logger.Info("a TLS file was replaced; its new content is in use", "file", s.file)
		}
		s.content, s.err = content, nil
	case s.err == nil || s.err.Error() != err.Error():
		s.logger.Error("a TLS file cannot be used; the previous content remains in use", "file", s.file, "error", err)
		fallthrough
	default:
		s.err = err
		s.failures++
	}
}

// state returns the state after a check of the files, without the validity of the content.
func (s *source[T]) state() (State, T) {
	content := s.current()
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{File: s.file, Err: s.err, Failures: s.failures}, content
}
