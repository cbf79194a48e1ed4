// Package logstream writes the log of a game as a response of plain text.
package logstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime/debug"
	"time"

	"galaxy/rtmanager/internal/domain/container"
)

// MediaType is the media type of a log.
const MediaType = "text/plain; charset=utf-8"

// unknownTime is printed instead of the time of a line that has none.
const unknownTime = "-"

// lineBuffer is how many lines may wait for the network before the log is read no further.
const lineBuffer = 16

// Config tunes a stream.
type Config struct {
	// HasTimes starts each line with its time.
	HasTimes bool
	// WriteTimeout bounds each write: a client that reads nothing for that long is disconnected.
	WriteTimeout time.Duration
	// OpenDelay is how long a stream without lines delays its status 200, so that a log that cannot be
	// read gets an error status.
	OpenDelay time.Duration
}

// item is one line, or the error that ends the log.
type item struct {
	line container.LogLine
	err  error
}

// Write writes the lines as they arrive, until they end. An error before the response has started is
// returned. A later one is returned as an *InterruptedError: the caller must disconnect the client, so
// that it does not treat the log as complete. ctx ends the stream; its cause is then the error.
func Write(ctx context.Context, w http.ResponseWriter, lines iter.Seq2[container.LogLine, error], cfg Config) error {
	s := &writer{w: w, control: http.NewResponseController(w), cfg: cfg}
	s.buffer = bufio.NewWriter(s)
	ctx, cancel := context.WithCancel(ctx)
	items := read(ctx, lines)
	defer func() {
		cancel()
		for range items { // until the reader has ended
		}
	}()
	open := time.NewTimer(cfg.OpenDelay)
	defer open.Stop()
	for {
		select {
		case i, isOpen := <-items:
			if !isOpen {
				return s.end(context.Cause(ctx))
			}
			if i.err != nil {
				return s.end(causeOr(ctx, i.err))
			}
			s.writeLine(i.line)
			if len(items) == 0 {
				s.flush()
			}
		case <-open.C:
			s.flush()
		case <-ctx.Done():
			return s.end(context.Cause(ctx))
		}
		if s.err != nil {
			return &InterruptedError{s.err}
		}
	}
}

// cmpCause returns the cause of a context that has ended, and otherwise the error.
func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// InterruptedError is the error of a response that has started and is not complete.
type InterruptedError struct{ Err error }

// Error returns the reason.
func (e *InterruptedError) Error() string { return "the log was interrupted: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *InterruptedError) Unwrap() error { return e.Err }

// read reads the lines on a goroutine of its own. The channel is closed when the lines have ended.
func read(ctx context.Context, lines iter.Seq2[container.LogLine, error]) <-chan item {
	items := make(chan item, lineBuffer)
	send := func(i item) bool {
		select {
		case items <- i:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		defer close(items)
		defer func() {
			if panicked := recover(); panicked != nil {
				send(item{err: fmt.Errorf("the log panicked: %v\n%s", panicked, debug.Stack())})
			}
		}()
		for line, err := range lines {
			if !send(item{line, err}) {
				return
			}
		}
	}()
	return items
}

// writer writes one response.
type writer struct {
	w       http.ResponseWriter
	control *http.ResponseController
	cfg     Config
	buffer  *bufio.Writer
	isOpen  bool
	err     error // of the first write that failed
}

// Write implements io.Writer for the buffer.
func (s *writer) Write(data []byte) (int, error) {
	s.open()
	_ = s.control.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
	return s.w.Write(data)
}

func (s *writer) open() {
	if s.isOpen {
		return
	}
	s.isOpen = true
	s.w.Header().Set("Content-Type", MediaType)
	s.w.Header().Set("X-Accel-Buffering", "no")
	s.w.WriteHeader(http.StatusOK)
}

func (s *writer) writeLine(line container.LogLine) {
	text := line.Text + "\n"
	if s.cfg.HasTimes {
		at := unknownTime
		if !line.Time.IsZero() {
			at = line.Time.UTC().Format(time.RFC3339Nano)
		}
		text = at + " " + text
	}
	_, err := s.buffer.WriteString(text)
	s.err = errors.Join(s.err, err)
}

// flush sends what is buffered, and removes the deadline: a log can be idle for long.
func (s *writer) flush() {
	s.open()
	s.err = errors.Join(s.err, s.buffer.Flush())
	if s.err == nil {
		_ = s.control.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
		s.err = s.control.Flush()
	}
	_ = s.control.SetWriteDeadline(time.Time{})
}

// end ends the response after its last line, or with an error.
func (s *writer) end(err error) error {
	if err != nil && !s.isOpen && s.buffer.Buffered() == 0 {
		return err
	}
	s.flush()
	if err = errors.Join(err, s.err); err != nil {
		return &InterruptedError{err}
	}
	return nil
}
