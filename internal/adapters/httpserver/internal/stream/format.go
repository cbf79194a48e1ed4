package stream

import (
	"bytes"
	"fmt"
	"mime"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/api"
)

// Frame is the metadata of a stream element, in addition to its JSON.
type Frame struct {
	// Type is the element's type.
	Type string
	// ID is what a client can resume from after the element, empty for none.
	ID string
}

// Format is the format of a stream.
type Format interface {
	// MediaType is the media type of the response.
	MediaType() string
	// preamble returns the start of the stream.
	preamble() string
	// frame writes one JSON document, which ends in a line feed.
	frame(buffer *bytes.Buffer, frame Frame, document []byte)
	// heartbeat returns a comment that keeps an idle stream alive, or the document in a
	// format without comments.
	heartbeat(document []byte) []byte
}

// SSE is text/event-stream, as the HTML standard defines it.
type SSE struct{}

// MediaType implements Format.
func (SSE) MediaType() string { return api.EventStreamMediaType }

func (SSE) preamble() string { return "retry: 2000\n\n" }

func (SSE) frame(buffer *bytes.Buffer, frame Frame, document []byte) {
	fmt.Fprintf(buffer, "event: %s\n", frame.Type)
	if frame.ID != "" {
		fmt.Fprintf(buffer, "id: %s\n", frame.ID)
	}
	buffer.WriteString("data: ")
	buffer.Write(document)
	buffer.WriteByte('\n')
}

func (SSE) heartbeat([]byte) []byte { return []byte(": hb\n\n") }

// NDJSON is one JSON document a line. It has no comments, so a heartbeat is a document.
type NDJSON struct{}

// MediaType implements Format.
func (NDJSON) MediaType() string { return api.NDJSONMediaType }

func (NDJSON) preamble() string { return "" }

func (NDJSON) frame(buffer *bytes.Buffer, _ Frame, document []byte) { buffer.Write(document) }

func (NDJSON) heartbeat(document []byte) []byte { return document }

// Choose returns the first format that an Accept header names and does not exclude by a
// weight of 0: SSE for an empty header, and false if it names none.
func Choose(accept string) (Format, bool) {
	if strings.TrimSpace(accept) == "" {
		return SSE{}, true
	}
	for entry := range strings.SplitSeq(accept, ",") {
		media, params, _ := mime.ParseMediaType(entry)
		if weight, err := strconv.ParseFloat(params["q"], 64); err == nil && weight == 0 {
			continue
		}
		switch media {
		case api.NDJSONMediaType:
			return NDJSON{}, true
		case api.EventStreamMediaType, "text/*", "*/*":
			return SSE{}, true
		}
	}
	return nil, false
}

// ChooseOptional returns the stream format that an Accept header names before plain JSON or
// a wildcard. It returns false if the client wants one JSON document.
func ChooseOptional(accept string) (Format, bool) {
	for entry := range strings.SplitSeq(accept, ",") {
		switch media, _, _ := mime.ParseMediaType(entry); media {
		case api.NDJSONMediaType, api.EventStreamMediaType:
			return Choose(accept)
		case "application/json", "application/*", "text/*", "*/*":
			return nil, false
		}
	}
	return nil, false
}
