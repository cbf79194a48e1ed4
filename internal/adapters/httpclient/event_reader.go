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

// maxLineBytes bounds one line. It is far above two records of the largest size.
const maxLineBytes = 4 << 20

// errMalformed is a line of a stream that this client cannot decode. A new connection
// does not necessarily help.
var errMalformed = errors.New("malformed stream")

// lineReader reads a stream of JSON documents, one per line.
type lineReader struct{ lines *bufio.Scanner }

func newLineReader(stream io.Reader) *lineReader {
	lines := bufio.NewScanner(stream)
	lines.Buffer(make([]byte, 0, 4<<10), maxLineBytes)
	lines.Split(scanCompleteLines)
	return &lineReader{lines: lines}
}

// next reads the next document into target and skips blank lines. It returns io.EOF at the
// end of the stream, and ignores a truncated last line. It returns errMalformed for a line
// that is no JSON document of the target's type.
func (r *lineReader) next(target any) error {
	for r.lines.Scan() {
		line := bytes.TrimSpace(r.lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := json.Unmarshal(line, target); err != nil {
			return fmt.Errorf("%w: a line is not an event: %w", errMalformed, err)
		}
		return nil
	}
	switch err := r.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("%w: a line has more than %d bytes: %w", errMalformed, maxLineBytes, err)
	case err != nil:
		return err
	}
	return io.EOF
}

// eventReader reads a watch stream in newline-delimited JSON.
type eventReader struct {
	lines *lineReader
	game  api.GameEvent // the latest one of nextGameEvent
}

func newEventReader(stream io.Reader) *eventReader { return &eventReader{lines: newLineReader(stream)} }

// scanCompleteLines splits lines like bufio.ScanLines, but drops a last line without a
// newline. Such a line is truncated, and could decode as another document.
func scanCompleteLines(data []byte, atEOF bool) (int, []byte, error) {
	if atEOF && bytes.IndexByte(data, '\n') < 0 {
		return len(data), nil, nil
	}
	return bufio.ScanLines(data, atEOF)
}

// next returns the next event. It returns the errors of lineReader, and errMalformed for an
// event without a required member.
func (r *eventReader) next() (api.Event, error) {
	var event api.Event
	if err := r.lines.next(&event); err != nil {
		return api.Event{}, err
	}
	if missing := missingMember(event); missing != "" {
		return api.Event{}, missingMemberError(missing)
	}
	return event, nil
}

func missingMemberError(missing string) error {
	return fmt.Errorf("%w: a line is an event without %s", errMalformed, missing)
}

// missingMember names a required member that the event lacks, empty if it lacks none.
// It guarantees consumers that every event about a record has the record.
func missingMember(event api.Event) string {
	kind := ports.EventType(event.Type)
	hasRecord := kind == ports.EventSnapshot || kind == ports.EventUpserted || kind == ports.EventTransitioned
	switch {
	case event.Type == "":
		return "a type"
	case event.Type == api.TypeError && event.Error == nil:
		return "its problem"
	case event.GameID == "" && (hasRecord || kind == ports.EventDeleted):
		return "its game"
	case event.After == nil && hasRecord:
		return "its record"
	}
	return ""
}
