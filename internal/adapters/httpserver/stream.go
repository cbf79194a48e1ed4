package httpserver

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// form is how a stream is written.
type form interface {
	mediaType() string
	// preamble is what the stream opens with.
	preamble() string
	// element frames one JSON document; data ends in a line feed.
	element(buffer *bytes.Buffer, event api.Event, data []byte)
	// beat is what keeps an idle stream alive. The position is the last
	// revision that may be resumed from, 0 for none yet.
	beat(position int64) string
}

// sseForm is text/event-stream as the HTML standard has it.
type sseForm struct{}

func (sseForm) mediaType() string { return api.EventStreamMediaType }

func (sseForm) preamble() string { return "retry: 2000\n\n" }

func (sseForm) element(buffer *bytes.Buffer, event api.Event, data []byte) {
	fmt.Fprintf(buffer, "event: %s\n", event.Type)
	if event.Last {
		fmt.Fprintf(buffer, "id: %d\n", event.Revision)
	}
	buffer.WriteString("data: ")
	buffer.Write(data)
	buffer.WriteByte('\n')
}

func (sseForm) beat(int64) string { return ": hb\n\n" }

// ndjsonForm is one JSON document a line. It has no comments, so an idle stream
// repeats the bookmark that holds anyway: true, parsed by every reader, and a
// write that finds out whether the reader is still there.
type ndjsonForm struct{}

func (ndjsonForm) mediaType() string { return api.NDJSONMediaType }

func (ndjsonForm) preamble() string { return "" }

func (ndjsonForm) element(buffer *bytes.Buffer, _ api.Event, data []byte) { buffer.Write(data) }

func (ndjsonForm) beat(position int64) string {
	return fmt.Sprintf(`{"type":%q,"revision":%d,"last":%t}`+"\n", ports.EventBookmark, position, position > 0)
}

// eventWriter writes one stream. After its first failed write, err is set and
// it does nothing more.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	form    form
	timeout time.Duration
	beats   time.Duration
	buffer  bytes.Buffer

	opened   bool
	position int64
	err      error
}

func newEventWriter(w http.ResponseWriter, form form, timeout, beats time.Duration) *eventWriter {
	return &eventWriter{w: w, control: http.NewResponseController(w), form: form, timeout: timeout, beats: beats}
}

// open sends the 200, once.
func (e *eventWriter) open() {
	if e.opened {
		return
	}
	e.opened = true
	header := e.w.Header()
	header.Set("Content-Type", e.form.mediaType())
	header.Set("X-Accel-Buffering", "no")
	header.Set(api.HeaderHeartbeat, strconv.Itoa(max(1, int(e.beats.Seconds()))))
	e.w.WriteHeader(http.StatusOK)
	e.send([]byte(e.form.preamble()))
}

// event writes an event, of which data is the JSON.
func (e *eventWriter) event(event ports.RuntimeEvent, data []byte) {
	e.element(api.EventFrom(event), data)
	switch {
	case event.Type == ports.EventResync:
		e.position = 0 // what came before is not to be resumed from any more
	case event.Last:
		e.position = event.Revision
	}
}

// problem writes an error; about says which game and revision it concerns.
func (e *eventWriter) problem(about ports.RuntimeEvent, p *api.Problem, final bool) {
	problem := api.Event{Type: api.TypeError, Revision: about.Revision, GameID: about.GameID, Error: p, Final: &final}
	e.element(problem, encodeJSON(problem))
}

func (e *eventWriter) heartbeat() {
	e.open()
	e.send([]byte(e.form.beat(e.position)))
	e.flush()
}

func (e *eventWriter) element(event api.Event, data []byte) {
	e.open()
	e.buffer.Reset()
	e.form.element(&e.buffer, event, data)
	e.send(e.buffer.Bytes())
}

// send writes under a deadline: a reader that takes nothing for that long is
// cut off rather than held.
func (e *eventWriter) send(text []byte) {
	if e.err != nil || len(text) == 0 {
		return
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(e.timeout))
	_, e.err = e.w.Write(text)
}

func (e *eventWriter) flush() {
	if e.err != nil || !e.opened {
		return
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(e.timeout))
	e.err = e.control.Flush()
}
