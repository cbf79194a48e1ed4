package stream

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/api"
)

// Config tunes a Writer.
type Config struct {
	// WriteTimeout bounds each write: a client that reads nothing for that long is
	// disconnected.
	WriteTimeout time.Duration
	// Heartbeat is the longest time between two writes, which the response announces.
	Heartbeat time.Duration
}

// Writer writes one stream. After the first write that fails it writes nothing, and Err
// returns the error. It is not safe for concurrent use.
type Writer struct {
	w       http.ResponseWriter
	control *http.ResponseController
	format  Format
	cfg     Config
	buffer  bytes.Buffer

	isOpen bool
	err    error
}

// NewWriter returns the writer of a response, which it does not start.
func NewWriter(w http.ResponseWriter, format Format, cfg Config) *Writer {
	return &Writer{w: w, control: http.NewResponseController(w), format: format, cfg: cfg}
}

// Open sends the status 200 and the headers, once.
func (s *Writer) Open() {
	if s.isOpen {
		return
	}
	s.isOpen = true
	header := s.w.Header()
	header.Set("Content-Type", s.format.MediaType())
	header.Set("X-Accel-Buffering", "no")
	header.Set(api.HeaderHeartbeat, strconv.Itoa(max(1, int(s.cfg.Heartbeat.Seconds()))))
	s.w.WriteHeader(http.StatusOK)
	s.send([]byte(s.format.preamble()))
}

// IsOpen reports whether the response has started.
func (s *Writer) IsOpen() bool { return s.isOpen }

// Err returns the error of the first write that failed, nil for none.
func (s *Writer) Err() error { return s.err }

// Write writes one JSON document, which ends in a line feed.
func (s *Writer) Write(frame Frame, document []byte) {
	s.Open()
	s.buffer.Reset()
	s.format.frame(&s.buffer, frame, document)
	s.send(s.buffer.Bytes())
}

// Heartbeat writes and flushes a heartbeat, which keeps an idle stream alive: a comment, or
// the document in a format without comments.
func (s *Writer) Heartbeat(document []byte) {
	s.Open()
	s.send(s.format.heartbeat(document))
	s.Flush()
}

func (s *Writer) send(data []byte) {
	if s.err != nil || len(data) == 0 {
		return
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
	_, s.err = s.w.Write(data)
}

// Flush sends the buffered data.
func (s *Writer) Flush() {
	if s.err != nil || !s.isOpen {
		return
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
	s.err = s.control.Flush()
	// Over HTTP/2 the deadline also ends a stream that is idle. The next write comes within a
	// heartbeat.
	_ = s.control.SetWriteDeadline(time.Now().Add(s.cfg.Heartbeat + s.cfg.WriteTimeout))
}
