package traffic

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// maxLine bounds one event.
const maxLine = 1 << 20

// closed is why a stream ended that the watcher closed.
const closed = "closed"

// watch implements target.
func (r rest) watch(ctx context.Context, options streamOptions, report func(event recording.Event, cursor string) bool) (reason string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	query := url.Values{}
	for name, value := range map[string]string{"status": options.Status, "region": options.Region, "game_id": options.Game} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if options.From > 0 && options.Cursor == "" {
		query.Set("from_revision", strconv.FormatInt(options.From, 10))
	}
	if options.Resync {
		query.Set("resync", "true")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.daemon.URL+"/v1/watch?"+query.Encode(), nil)
	if err != nil {
		return err.Error()
	}
	read := readLines
	if req.Header.Set("Accept", "application/x-ndjson"); options.ServerSentEvents {
		read = readServerSentEvents
		req.Header.Set("Accept", "text/event-stream")
	}
	if options.Cursor != "" {
		req.Header.Set("Last-Event-ID", options.Cursor)
	}
	resp, err := r.t.http.Do(req)
	switch {
	case ctx.Err() != nil:
		return closed
	case err != nil:
		return "disconnected: " + shorten(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		var p problem
		content, _ := io.ReadAll(resp.Body)
		_ = json.Unmarshal(content, &p)
		return fmt.Sprintf("%d %s: %s", resp.StatusCode, p.Code, p.Detail)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	reason = read(lines, report)
	switch {
	case reason != "":
		return reason
	case ctx.Err() != nil:
		return closed
	case lines.Err() != nil:
		return "disconnected: " + shorten(lines.Err())
	default:
		return "disconnected: end of the response"
	}
}

// streamLine is one line of a stream.
type streamLine struct {
	Type     string          `json:"type"`
	Revision int64           `json:"revision"`
	GameID   string          `json:"game_id"`
	Last     bool            `json:"last"`
	Before   json.RawMessage `json:"before"`
	After    json.RawMessage `json:"after"`
	Reason   string          `json:"reason"`
	Final    *bool           `json:"final"`
	Error    *struct {
		problem
		Status int `json:"status"`
	} `json:"error"`
}

// readLines reads a stream of one JSON object per line. It returns why the stream ended, empty if it
// was not by an event.
func readLines(lines *bufio.Scanner, report func(event recording.Event, cursor string) bool) (reason string) {
	for lines.Scan() {
		if len(lines.Bytes()) > 0 {
			if reason = reportLine(lines.Bytes(), "", report); reason != "" {
				return reason
			}
		}
	}
	return ""
}

// readServerSentEvents is readLines for text/event-stream.
func readServerSentEvents(lines *bufio.Scanner, report func(event recording.Event, cursor string) bool) (reason string) {
	cursor, data := "", ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "id":
			cursor = value
		case name == "data":
			data += value
		case lines.Text() == "" && data != "":
			if reason = reportLine([]byte(data), cursor, report); reason != "" {
				return reason
			}
			data = ""
		}
	}
	return ""
}

// reportLine passes an event on. It returns why the stream ends here, empty if it does not.
func reportLine(encoded []byte, cursor string, report func(event recording.Event, cursor string) bool) (reason string) {
	var line streamLine
	if err := json.Unmarshal(encoded, &line); err != nil {
		return "disconnected in the middle of an event"
	}
	if line.Error != nil && line.Final != nil && *line.Final {
		return fmt.Sprintf("%d %s: %s", line.Error.Status, line.Error.Code, line.Error.Detail)
	}
	event := recording.Event{Type: line.Type, Revision: line.Revision, Game: line.GameID, Last: line.Last, Before: line.Before, After: line.After, Reason: line.Reason}
	if !report(event, cursor) {
		return closed
	}
	return ""
}
