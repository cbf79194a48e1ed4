package httpclient

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// maxLineBytes is far above two records of the largest size.
const maxLineBytes = 4 << 20

// errUnreadable is a line of a stream that this client makes no sense of, which
// another connection need not help.
var errUnreadable = errors.New("the stream cannot be read")

// lineReader reads a stream of JSON documents, one a line.
type lineReader struct{ lines *bufio.Scanner }

func newLineReader(stream io.Reader) *lineReader {
	lines := bufio.NewScanner(stream)
	lines.Buffer(make([]byte, 0, 4<<10), maxLineBytes)
	lines.Split(wholeLines)
	return &lineReader{lines: lines}
}

// next reads the next document into target; blank lines are passed over. It
// returns io.EOF at the end of the stream, a cut-off last line being no document
// either, and errUnreadable for a line that is none.
func (r *lineReader) next(target any) error {
	for r.lines.Scan() {
		line := bytes.TrimSpace(r.lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := json.Unmarshal(line, target); err != nil {
			return fmt.Errorf("%w: a line is no event: %w", errUnreadable, err)
		}
		return nil
	}
	switch err := r.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("%w: a line has more than %d bytes: %w", errUnreadable, maxLineBytes, err)
	case err != nil:
		return err
	}
	return io.EOF
}

// eventReader reads a watch stream in its NDJSON form.
type eventReader struct{ lines *lineReader }

func newEventReader(stream io.Reader) *eventReader { return &eventReader{newLineReader(stream)} }

// wholeLines is bufio.ScanLines without a last line that does not end: it is
// cut off, and what is there of it may read as something that was never sent.
func wholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if atEOF && bytes.IndexByte(data, '\n') < 0 {
		return len(data), nil, nil
	}
	return bufio.ScanLines(data, atEOF)
}

// next returns the next event. Its errors are lineReader's; a line that lacks what
// an event has is errUnreadable too.
func (r *eventReader) next() (api.Event, error) {
	var event api.Event
	if err := r.lines.next(&event); err != nil {
		return api.Event{}, err
	}
	if lack := lackOf(event); lack != "" {
		return api.Event{}, fmt.Errorf("%w: a line is an event without %s", errUnreadable, lack)
	}
	return event, nil
}

// lackOf names what an event must have and this one has not: nobody who reads
// a change should have to doubt that there is a record.
func lackOf(event api.Event) string {
	kind := ports.EventType(event.Type)
	ofRecord := kind == ports.EventSnapshot || kind == ports.EventUpserted || kind == ports.EventTransitioned
	switch {
	case event.Type == "":
		return "a type"
	case event.Type == api.TypeError && event.Error == nil:
		return "its problem"
	case event.GameID == "" && (ofRecord || kind == ports.EventDeleted):
		return "its game"
	case event.After == nil && ofRecord:
		return "its record"
	}
	return ""
}
