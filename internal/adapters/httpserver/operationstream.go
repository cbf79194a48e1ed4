package httpserver

import (
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
)

// operationStream writes the events of one operation. Progress and heartbeats may come
// at the same time.
type operationStream struct {
	mu  sync.Mutex // guards out
	out *eventWriter
}

// heartbeats writes a heartbeat each interval until stop is called, which waits for the
// last one.
func (o *operationStream) heartbeats(interval time.Duration) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				o.heartbeat()
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

func (o *operationStream) progress(p operation.Progress) bool { return o.event(api.ProgressEvent(p)) }

// heartbeat keeps the stream alive. NDJSON has no comments, so it gets an event.
func (o *operationStream) heartbeat() {
	if _, isNDJSON := o.out.form.(ndjsonForm); isNDJSON {
		o.event(api.OperationEvent{Type: api.TypeHeartbeat})
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out.heartbeat()
}

// event writes one event, and reports whether the client still reads.
func (o *operationStream) event(event api.OperationEvent) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out.element(api.Event{Type: event.Type}, encodeJSON(event))
	o.out.flush()
	return o.out.err == nil
}

// streamForm returns the form of stream that the Accept header names, nil for a response
// in one piece.
func streamForm(accept string) form {
	if acceptsJSON(accept) {
		return nil
	}
	chosen, _ := chooseForm(accept)
	return chosen
}

// acceptsJSON reports whether an Accept header names plain JSON, or a wildcard, before
// either stream.
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
	// The end of the connection is reported elsewhere if the client is gone.
	_, _ = w.Write(encodeJSON(value))
}
