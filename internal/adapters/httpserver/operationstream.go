package httpserver

import (
	"mime"
	"net/http"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
)

// operationStream tells of an operation in the forms that a watch has.
type operationStream struct{ out *eventWriter }

func (o *operationStream) progress(p operation.Progress) bool {
	return o.event(api.ProgressEvent(p))
}

// beat keeps the stream alive. NDJSON has no comments, so it gets an event.
func (o *operationStream) beat() bool {
	if _, lines := o.out.form.(ndjsonForm); lines {
		return o.event(api.OperationEvent{Type: api.TypeHeartbeat})
	}
	o.out.heartbeat()
	return o.out.err == nil
}

func (o *operationStream) event(event api.OperationEvent) bool {
	o.out.element(api.Event{Type: event.Type}, encodeJSON(event))
	o.out.flush()
	return o.out.err == nil
}

// streamForm returns the form of stream that the Accept header asks for by name,
// nil for an answer in one piece.
func streamForm(accept string) form {
	if acceptsJSON(accept) {
		return nil
	}
	chosen, _ := chooseForm(accept)
	return chosen
}

// acceptsJSON reports whether an Accept header names plain JSON before either
// stream: what takes anything gets the answer in one piece.
func acceptsJSON(accept string) bool {
	for entry := range strings.SplitSeq(accept, ",") {
		switch media, _, _ := mime.ParseMediaType(entry); media {
		case api.NDJSONMediaType, api.EventStreamMediaType:
			return false
		case "application/json", "application/*", "text/*", "*/*":
			return true
		}
	}
	return true
}

// writeJSON answers outside of huma's handlers.
func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that has gone is no news: the connection's end says so.
	_, _ = w.Write(encodeJSON(value))
}
