package apiclient

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"galaxy/rtmanager/internal/adapters/restapi/wire"
)

// maxLineBytes is far above two records of the largest size.
const maxLineBytes = 4 << 20

// eventReader reads a watch stream in its NDJSON form.
type eventReader struct{ lines *bufio.Scanner }

func newEventReader(stream io.Reader) *eventReader {
	lines := bufio.NewScanner(stream)
	lines.Buffer(make([]byte, 0, 4<<10), maxLineBytes)
	lines.Split(wholeLines)
	return &eventReader{lines: lines}
}

// wholeLines is bufio.ScanLines without a last line that does not end: it is
// cut off, and what is there of it may read as something that was never sent.
func wholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if atEOF && bytes.IndexByte(data, '\n') < 0 {
		return len(data), nil, nil
	}
	return bufio.ScanLines(data, atEOF)
}

// next returns the next event; blank lines are passed over. It returns io.EOF
// at the end of the stream, a cut-off last line being no event either,
// and another error for a line that is no event.
func (r *eventReader) next() (wire.Event, error) {
	for r.lines.Scan() {
		line := bytes.TrimSpace(r.lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var event wire.Event
		if err := json.Unmarshal(line, &event); err != nil {
			return wire.Event{}, fmt.Errorf("a line of the stream is no event: %w", err)
		}
		if event.Type == "" {
			return wire.Event{}, errors.New("a line of the stream is an event without a type")
		}
		return event, nil
	}
	if err := r.lines.Err(); err != nil {
		return wire.Event{}, err
	}
	return wire.Event{}, io.EOF
}
